"""Ears on synthetic voices through the real network: boundaries, restarts, interleaving, bounds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minerva_hub.config import SegmentConfig
from minerva_hub.segment import (
    EarBank,
    EarEvent,
    Segment,
    SegmentEnded,
    Settled,
    SoFar,
    SpeechBegan,
    SpeechDropped,
    VadBank,
)
from synthetic_voice import voice

T0 = 1_700_000_000_000
CONFIG = SegmentConfig(max_segment_s=3)


@cache
def vad() -> VadBank:
    return VadBank()


@dataclass(frozen=True)
class Sent:
    pcm: np.ndarray
    start_ms: int
    seq: int
    begins: bool = False
    ends: bool = False


def int16(sound: np.ndarray) -> np.ndarray:
    return np.round(sound * 32767).astype(np.int16)


@cache
def sound(kind: str, seed: int, windows: int) -> np.ndarray:
    if kind == "voice":
        return int16(voice(seed, windows))
    level = {"noise": 0.01, "hush": 1e-4}[kind]
    return int16(level * np.random.default_rng(seed).standard_normal(512 * windows))


def packets(pcm: np.ndarray, frames: int = 3, first_seq: int = 0, start_ms: int = T0) -> list[Sent]:
    """The whole packets of `frames` frames in the sound."""
    size = 320 * frames
    return [
        Sent(pcm[at : at + size], start_ms + at // 16, first_seq + at // size)
        for at in range(0, len(pcm) - size + 1, size)
    ]


def listen(sent: list[Sent], config: SegmentConfig = CONFIG, every: int = 1) -> list[EarEvent]:
    """What a fresh ear hears, with a step after each `every` packets."""
    bank = EarBank(config, vad(), backlog_s=120)
    ear = bank.open()
    heard = []
    for i, p in enumerate(sent):
        assert ear.feed(p.pcm, p.start_ms, p.seq, begins=p.begins, ends=p.ends)
        if i % every == 0:
            heard += bank.step()
    ear.flush()
    while bank.busy:
        heard += bank.step()
    bank.close(ear)
    bank.step()
    return [event for _, event in heard]


def drain(bank: EarBank) -> list[EarEvent]:
    heard = bank.step()
    while bank.busy:
        heard += bank.step()
    return [event for _, event in heard]


def plain(event: EarEvent) -> tuple:
    """Comparable form of an event, samples included."""
    if isinstance(event, SegmentEnded):
        s = event.segment
        return ("segment", s.start_ms, s.end_ms, s.last_seq, s.pcm.tobytes())
    return (type(event).__name__, event)


def settled_by(event: EarEvent) -> int | None:
    if isinstance(event, SegmentEnded):
        return event.segment.last_seq
    return event.seq if isinstance(event, Settled) else None


def segments(heard: list[EarEvent]) -> list[Segment]:
    return [e.segment for e in heard if isinstance(e, SegmentEnded)]


@st.composite
def streams(draw) -> list[Sent]:
    """Pieces of voice, noise and hush in packets of several lengths; gates close, time jumps."""
    out: list[Sent] = []
    now, seq = T0, draw(st.integers(0, 5))
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["voice", "voice", "noise", "hush"]))
        pcm = sound(kind, draw(st.integers(0, 3)), draw(st.sampled_from([20, 60, 130])))
        piece = packets(pcm, draw(st.sampled_from([1, 3, 10])), seq, now)
        seq, now = piece[-1].seq + 1, piece[-1].start_ms + len(piece[-1].pcm) // 16
        how = draw(st.sampled_from(["on", "on", "gate", "jump", "begins"]))
        last = piece[-1]
        if how == "gate":
            piece[-1] = Sent(last.pcm, last.start_ms, last.seq, ends=True)
            now += draw(st.sampled_from([0, 500]))
        elif how == "jump":
            now += draw(st.sampled_from([-100, 41, 3000]))
        elif how == "begins":
            piece[0] = Sent(piece[0].pcm, piece[0].start_ms, piece[0].seq, begins=True)
        out += piece
    return out


@settings(max_examples=40, deadline=None)
@given(streams(), st.data())
def test_a_hub_killed_after_any_settled_packet_hears_the_same_again(sent: list[Sent], data):
    whole = listen(sent)
    points = [i for i, event in enumerate(whole) if settled_by(event) is not None]
    assert points, "every stream is settled at its end"
    cut = data.draw(st.sampled_from(points))
    seq = settled_by(whole[cut])
    rest = [p for p in sent if p.seq > seq]
    assert [plain(e) for e in listen(rest)] == [plain(e) for e in whole[cut + 1 :]]


@settings(max_examples=20, deadline=None)
@given(streams(), st.integers(1, 200))
def test_the_same_is_heard_whenever_steps_are_taken(sent: list[Sent], every: int):
    assert [plain(e) for e in listen(sent, every=every)] == [plain(e) for e in listen(sent)]


@settings(max_examples=20, deadline=None)
@given(streams())
def test_looking_at_speech_that_goes_on_changes_nothing_and_shows_the_segment_to_come(sent: list[Sent]):
    bank = EarBank(CONFIG, vad(), backlog_s=120)
    ear = bank.open()
    heard: list[EarEvent] = []
    looks: list[tuple[int, SoFar]] = []  # (segments before it, what was seen)
    for p in sent:
        ear.feed(p.pcm, p.start_ms, p.seq, begins=p.begins, ends=p.ends)
        heard += [event for _, event in bank.step(64)]
        so_far = ear.so_far()
        assert (so_far is None) == (ear.spoken == 0)
        if so_far is not None:
            looks.append((len(segments(heard)), so_far))
    ear.flush()
    heard += drain(bank)
    assert [plain(e) for e in heard] == [plain(e) for e in listen(sent)]
    for number, so_far in looks:
        whole = segments(heard)[number].pcm
        common = min(len(whole), len(so_far.pcm))
        np.testing.assert_array_equal(so_far.pcm[:common], whole[:common])
        assert not so_far.certain or len(so_far.pcm) <= len(whole) + 480 * 16


def test_of_speech_that_may_be_cut_only_the_first_part_is_certain():
    sent = packets(sound("voice", 0, 130))
    bank = EarBank(SegmentConfig(max_segment_s=2), vad(), backlog_s=120)
    ear = bank.open()
    certain_s = uncertain_s = 0.0
    heard: list[EarEvent] = []
    for p in sent:
        ear.feed(p.pcm, p.start_ms, p.seq)
        heard += [event for _, event in bank.step(64)]
        so_far = ear.so_far()
        if segments(heard):
            break
        if so_far is not None and so_far.certain:
            certain_s = len(so_far.pcm) / 16_000
        elif so_far is not None:
            uncertain_s = len(so_far.pcm) / 16_000
    cut_s = len(segments(heard)[0].pcm) / 16_000
    assert 1.0 < certain_s <= cut_s < uncertain_s


@settings(max_examples=20, deadline=None)
@given(streams())
def test_segments_are_pieces_of_the_stream_in_order_and_bounded(sent: list[Sent]):
    last_end = -1
    for s in segments(listen(sent)):
        inside = [i for i, p in enumerate(sent) if p.seq <= s.last_seq][-1]
        before = np.concatenate([p.pcm for p in sent[: inside + 1]])
        np.testing.assert_array_equal(s.pcm, before[len(before) - len(s.pcm) :])
        assert len(before) - len(s.pcm) >= last_end, "segments do not overlap"
        last_end = len(before)
        assert s.end_ms - s.start_ms == pytest.approx(len(s.pcm) / 16, abs=1)
        assert 0 < len(s.pcm) <= 16000 * CONFIG.max_segment_s


def test_interleaved_ears_hear_what_each_hears_alone():
    scenes = [packets(sound("voice", seed, 130)) for seed in range(4)]
    alone = [[plain(e) for e in listen(scene)] for scene in scenes]
    bank = EarBank(CONFIG, vad())
    ears = [bank.open() for _ in range(4)]
    heard: dict[int, list] = {i: [] for i in range(4)}
    rng = np.random.default_rng(0)
    todo = [list(scene) for scene in scenes]
    while any(todo) or bank.busy:
        i = int(rng.integers(4))
        for _ in range(min(int(rng.integers(1, 20)), len(todo[i]))):
            p = todo[i].pop(0)
            assert ears[i].feed(p.pcm, p.start_ms, p.seq)
            if not todo[i]:
                ears[i].flush()
        for ear, event in bank.step(rounds=int(rng.integers(1, 10))):
            heard[ears.index(ear)].append(plain(event))
    assert [heard[i] for i in range(4)] == alone


def test_feeding_beside_a_running_step():
    scenes = [packets(sound("voice", seed, 130)) for seed in range(4)]
    alone = [[plain(e) for e in listen(scene)] for scene in scenes]
    bank = EarBank(CONFIG, vad(), backlog_s=120)
    ears = [bank.open() for _ in scenes]
    heard: dict = {ear: [] for ear in ears}

    def feed() -> None:
        for number in range(max(len(scene) for scene in scenes)):
            for ear, scene in zip(ears, scenes, strict=True):
                p = scene[number]
                assert ear.feed(p.pcm, p.start_ms, p.seq)
        for ear in ears:
            ear.flush()

    with ThreadPoolExecutor(1) as pool:
        fed = pool.submit(feed)
        while not fed.done() or bank.busy:
            for ear, event in bank.step():
                heard[ear].append(plain(event))
        fed.result()
    assert [heard[ear] for ear in ears] == alone


def test_more_ears_than_there_was_room_for():
    scene = packets(sound("voice", 1, 60))
    expected = [plain(e) for e in listen(scene)]
    bank = EarBank(CONFIG, vad())
    ears = [bank.open() for _ in range(150)]
    heard: dict = {ear: [] for ear in ears}
    for i, p in enumerate(scene):
        for ear in ears[: 10 + 10 * i]:  # they come one after the other, while others are in mid-speech
            ear.feed(p.pcm, p.start_ms, p.seq)
        for ear, event in bank.step():
            heard[ear].append(plain(event))
    ears[0].flush()
    for ear, event in bank.step():
        heard[ear].append(plain(event))
    assert heard[ears[0]] == expected
    for ear in ears:
        bank.close(ear)
    bank.step()
    assert not bank.busy


def test_a_jump_of_time_is_never_joined_across():
    pcm = sound("voice", 2, 130)
    sent = packets(pcm)
    straight = segments(listen(sent))
    middle = next(s for s in straight if s.end_ms - s.start_ms > 700)
    at = next(i for i, p in enumerate(sent) if p.start_ms > middle.start_ms + 400)
    jumped = sent[:at] + [Sent(p.pcm, p.start_ms + 41, p.seq) for p in sent[at:]]
    for s in segments(listen(jumped)):
        assert not (s.start_ms < sent[at].start_ms < s.end_ms - 41)
    assert any(s.last_seq == sent[at].seq - 1 for s in segments(listen(jumped)))
    shifted = sent[:at] + [Sent(p.pcm, p.start_ms + 40, p.seq) for p in sent[at:]]
    assert [len(s.pcm) for s in segments(listen(shifted))] == [len(s.pcm) for s in straight]


def test_the_gate_settles_what_was_not_speech():
    *body, last = packets(sound("hush", 0, 40))
    heard = listen([*body, Sent(last.pcm, last.start_ms, last.seq, ends=True)])
    assert heard == [Settled(last.seq)]


def test_quiet_windows_do_not_ask_the_network():
    bank = EarBank(CONFIG, vad())
    ear = bank.open()
    for p in packets(sound("hush", 0, 60)):
        ear.feed(p.pcm, p.start_ms, p.seq)
    assert bank.step(rounds=7) == []
    assert bank.decided == 7
    assert bank.busy
    drain(bank)
    assert bank.decided == 60
    assert bank.inferred == 0


@pytest.mark.parametrize("kind", ["hush", "noise"])
def test_a_long_lull_is_settled_again_and_again(kind: str):
    sent = packets(sound(kind, 1, 600))
    points = [e.seq for e in listen(sent) if isinstance(e, Settled)]
    assert points[-1] == sent[-1].seq
    gaps_ms = np.diff([0, *points]) * 60
    assert max(gaps_ms) <= 3500, "a device that keeps five seconds can send all that is not settled"


def test_a_burst_is_dropped():
    pcm = np.concatenate(
        [sound("hush", 0, 60), sound("voice", 0, 40)[4096 : 4096 + 6 * 512], sound("hush", 1, 60)]
    )
    heard = listen(packets(pcm), SegmentConfig(min_speech_ms=2000))
    assert [type(e) for e in heard] == [SpeechBegan, SpeechDropped, Settled]


def test_times_are_those_of_the_packets():
    heard = listen(packets(sound("voice", 1, 130)))
    began = next(e for e in heard if isinstance(e, SpeechBegan))
    first = segments(heard)[0]
    assert first.start_ms == max(T0, began.at_ms - CONFIG.pre_roll_ms)
    assert first.end_ms == T0 + (first.last_seq + 1) * 60


def test_a_full_backlog_refuses_the_newest_packet_and_leaves_a_gap():
    bank = EarBank(CONFIG, vad(), backlog_s=1)
    ear = bank.open()
    sent = packets(sound("voice", 1, 130))
    taken = [ear.feed(p.pcm, p.start_ms, p.seq) for p in sent[:20]]
    assert taken == [True] * 16 + [False] * 4
    assert ear.pending == 16 * 960
    drain(bank)
    assert ear.pending == 0
    assert ear.feed(sent[20].pcm, sent[20].start_ms, sent[20].seq)
    assert [settled_by(e) for e in drain(bank)] == [15], "what is before the gap was ended there"


@pytest.mark.parametrize("size", [0, 3201])
def test_a_packet_of_an_impossible_length(size: int):
    with pytest.raises(ValueError, match=f"packet of {size} samples; 1 to 3200 are allowed"):
        EarBank(CONFIG, vad()).open().feed(np.zeros(size, np.int16), T0, 0)


def test_a_closed_ear_takes_nothing_and_frees_its_slot():
    bank = EarBank(CONFIG, vad())
    ear = bank.open()
    pcm = np.zeros(960, np.int16)
    assert ear.feed(pcm, T0, 0)
    bank.step()
    slot = ear.slot
    bank.close(ear)
    bank.step()
    assert not ear.feed(pcm, T0 + 60, 1)
    other = bank.open()
    other.feed(pcm, T0, 0)
    bank.step()
    assert other.slot == slot


def test_decided_is_the_last_packet_judged_whole():
    bank = EarBank(CONFIG, vad())
    ear = bank.open()
    decided = []
    for p in packets(sound("hush", 0, 10)):
        ear.feed(p.pcm, p.start_ms, p.seq)
        bank.step()
        decided.append(ear.decided_seq)
    # 960 samples a packet, 512 a window: of 5 packets 4608 of 4800 samples are judged, so packet 3 is whole.
    assert decided == [None, 0, 1, 2, 3]
    ear.flush()
    bank.step()
    assert ear.decided_seq == 4


def test_a_packet_is_reached_when_its_whole_windows_are_judged() -> None:
    bank = EarBank(SegmentConfig())
    ear = bank.open()
    for seq in range(4):  # 960 samples: 1.875 windows
        ear.feed(np.zeros(960, np.int16), 60 * seq, seq)
    assert ear.reached_seq is None
    while bank.busy:
        bank.step()
    assert (ear.reached_seq, ear.decided_seq) == (3, 2)
