"""A stream's accounting: order, wraps, gaps, times, resume points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva import wire
from minerva_hub.config import SegmentConfig
from minerva_hub.errors import PeerError
from minerva_hub.pipeline.features import FeatureLog, FeatureTaps
from minerva_hub.pipeline.stream import Clock, Stream
from minerva_hub.segment import EarBank

NOW_MS = 1_800_000_000_000
PAYLOAD = memoryview(bytes(1920))


class Ear:
    """Remembers what it is fed; refuses when told."""

    def __init__(self) -> None:
        self.fed: list[tuple[int, int, bool, bool]] = []
        self.skipped: list[tuple[int, int]] = []
        self.full = False
        self.pending = 0

    def skip(self, size: int, seq: int) -> bool:
        if not self.full:
            self.skipped.append((size, seq))
        return not self.full

    def feed(self, pcm: np.ndarray, start_ms: int, seq: int, *, begins: bool, ends: bool) -> bool:
        if not self.full:
            self.fed.append((seq, start_ms, begins, ends))
        return not self.full


def stream(boot_ms: int = 0, lead_ms: int = 3000) -> tuple[Stream, Ear]:
    """A stream of a device whose clock is at `boot_ms` now."""
    ear = Ear()
    clock = Clock(NOW_MS - boot_ms, boot_ms)
    log = FeatureLog(FeatureTaps())
    return Stream("kitchen", "Kitchen", "b" * 16, ear, clock, log, lead_ms=lead_ms), ear  # type: ignore[arg-type]


def accept(s: Stream, seq: int, time_ms: int, flags: int = 0, now_ms: int | None = None):
    now = now_ms if now_ms is not None else NOW_MS + 10_000_000
    return s.accept(wire.PCM_S16LE, flags, 3, seq & wire.U32, time_ms & wire.U32, PAYLOAD, now)


def test_packets_in_order_are_fed_once_on_the_hubs_clock() -> None:
    s, ear = stream(1000)
    for i in range(3):
        assert accept(s, i, 1000 + 60 * i, flags=1 if i == 0 else 2 if i == 2 else 0) == (True, [])
    assert ear.fed == [
        (0, NOW_MS, True, False),
        (1, NOW_MS + 60, False, False),
        (2, NOW_MS + 120, False, True),
    ]


def test_numbers_and_times_wrap_together() -> None:
    boot = (1 << 32) - 60
    s, ear = stream(boot)
    accept(s, wire.U32 - 1, boot)  # the gap before it is the boot's, not asked here
    assert accept(s, wire.U32, boot + 60) == (True, [])
    assert accept(s, 0, boot + 120) == (True, [])
    assert [start for _, start, *_ in ear.fed] == [NOW_MS, NOW_MS + 60, NOW_MS + 120]


@pytest.mark.parametrize("boot", [0, (1 << 30) - 100, 1 << 30, (1 << 31) - 100, (1 << 32) - 100, 5 << 32])
def test_times_past_every_edge(boot: int) -> None:
    s, ear = stream(boot)
    accept(s, 0, boot)
    accept(s, 1, boot + 60)
    assert [start for _, start, *_ in ear.fed] == [NOW_MS, NOW_MS + 60]


def test_a_jump_forward_is_a_gap_with_its_times() -> None:
    s, ear = stream()
    accept(s, 0, 0)
    taken, gaps = accept(s, 5, 300)
    assert taken
    assert [(g.packets, g.start_ms, g.end_ms, g.reason) for g in gaps] == [
        (4, NOW_MS + 60, NOW_MS + 300, "overwritten")
    ]
    assert ear.fed[-1][2], "what comes after a gap begins anew"


def test_a_pause_of_the_gate_is_no_gap() -> None:
    s, _ = stream()
    accept(s, 0, 0)
    assert accept(s, 1, 60_000, flags=1) == (True, [])


def test_what_was_lost_before_the_first_packet_is_a_gap_since_boot() -> None:
    s, _ = stream(60_000)
    _, gaps = accept(s, 10, 600)
    assert [(g.packets, g.start_ms, g.end_ms) for g in gaps] == [(10, NOW_MS - 60_000, NOW_MS - 59_400)]


def test_a_jump_back_within_a_connection_is_refused() -> None:
    s, ear = stream()
    accept(s, 7, 420)
    with pytest.raises(PeerError, match="sequence number 7 after 7") as caught:
        accept(s, 7, 420)
    assert caught.value.code == "bad_sequence"
    assert len(ear.fed) == 1


def test_packets_resent_after_a_reconnect_are_dropped_and_counted() -> None:
    s, ear = stream()
    for i in range(5):
        accept(s, i, 60 * i)
    s.reconnected(400, NOW_MS + 400)
    for i in range(2, 8):
        assert accept(s, i, 60 * i) == (True, [])
    assert s.duplicates == 3
    assert [seq for seq, *_ in ear.fed] == list(range(8))


def test_time_running_backwards_is_refused() -> None:
    s, _ = stream(10_000)
    accept(s, 0, 10_000)
    accept(s, 1, 10_060 - 99)
    with pytest.raises(PeerError, match="100 ms back") as caught:
        accept(s, 2, 9_000)
    assert caught.value.code == "bad_time"


def test_a_packet_from_before_the_boot_is_refused() -> None:
    s, _ = stream(100)
    with pytest.raises(PeerError) as caught:
        accept(s, 0, (1 << 32) - 1000)
    assert caught.value.code == "bad_time"


def test_audio_ahead_of_real_time_is_refused() -> None:
    s, ear = stream(lead_ms=3000)
    accept(s, 0, 2940, now_ms=NOW_MS)
    with pytest.raises(PeerError, match="3060 ms ahead of real time; 3000 ms") as caught:
        accept(s, 1, 3000, now_ms=NOW_MS)
    assert caught.value.code == "too_fast"
    assert len(ear.fed) == 1


def test_a_full_ear_makes_a_gap_that_blames_the_hub() -> None:
    s, ear = stream()
    accept(s, 0, 0)
    ear.full = True
    taken, gaps = accept(s, 1, 60)
    assert not taken
    assert [(g.reason, g.packets, g.start_ms) for g in gaps] == [("hub_overload", 1, NOW_MS + 60)]


def test_a_device_beyond_its_share_of_the_backlog_loses_packets_visibly() -> None:
    s, ear = stream()
    accept(s, 0, 0)
    s.max_pending, ear.pending = 1000, 1000
    taken, gaps = accept(s, 1, 60)
    assert not taken and gaps[0].reason == "hub_overload"
    ear.pending = 999
    assert accept(s, 2, 120) == (True, [])


def test_features_take_their_turn_behind_the_audio() -> None:
    s, ear = stream()
    accept(s, 0, 0)
    now = NOW_MS + 10_000_000
    assert s.accept(wire.LOGMEL_U8, 0, 2, 1, 60, memoryview(bytes(128)), now) == (True, [])
    assert ear.skipped == [(320, 1)], "20 ms"
    (block,) = s.features.newest()
    assert (block.seq, block.start_ms, block.end_ms, block.begins) == (1, NOW_MS + 60, NOW_MS + 80, True)
    ear.full = True
    taken, gaps = s.accept(wire.LOGMEL_U8, 0, 2, 2, 80, memoryview(bytes(128)), now)
    assert not taken and gaps[0].reason == "hub_overload"
    ear.full = False
    s.accept(wire.LOGMEL_U8, 0, 2, 3, 100, memoryview(bytes(128)), now)
    assert [(b.seq, b.begins) for b in s.features.newest()] == [(1, True), (3, True)]
    assert s.received["logmel_u8"].packets == 2 and s.received["logmel_u8"].frames == 4


def test_settling_moves_forward_only_and_keeps_the_time() -> None:
    s, _ = stream()
    assert s.resume_point() is None
    for i in range(4):
        accept(s, i, 60 * i)
    s.settle(2)
    s.settle(1)
    point = s.resume_point()
    assert point is not None
    assert (point.seq, point.end_ms, point.clock_offset_ms) == (2, NOW_MS + 180, NOW_MS)
    assert s.point_at(3).end_ms == NOW_MS + 240


def test_a_stream_restored_from_its_point_goes_on_and_sees_the_gap() -> None:
    s, _ = stream()
    for i in range(4):
        accept(s, i, 60 * i)
    s.settle(3)
    point = s.resume_point()
    assert point is not None
    again, ear = stream()
    again.restore(point)
    _, gaps = accept(again, 10, 900, flags=1)
    assert [(g.packets, g.start_ms, g.end_ms) for g in gaps] == [(6, NOW_MS + 240, NOW_MS + 900)]
    assert [seq for seq, *_ in ear.fed] == [10]


def test_time_that_steps_back_again_and_again_gets_nowhere() -> None:
    s, ear = stream(1000)
    accept(s, 0, 1000)
    accept(s, 1, 1060 - 60)
    with pytest.raises(PeerError) as caught:
        accept(s, 2, 1000 - 60)
    assert caught.value.code == "bad_time", "100 ms back count from the furthest that was reached"
    assert len(ear.fed) == 2


def test_time_that_stands_still_is_too_fast() -> None:
    s, ear = stream(1000, lead_ms=3000)
    with pytest.raises(PeerError, match="over times already reached; 3000 ms are allowed") as caught:
        for seq in range(100):
            accept(s, seq, 1000)
    assert caught.value.code == "too_fast"
    assert len(ear.fed) == 51, "the first, and fifty of 60 ms over it"
    s.reconnected(1000, NOW_MS)
    with pytest.raises(PeerError, match="over times already reached"):
        accept(s, 60, 1000)
    accept(s, 61, 1060)
    assert len(ear.fed) == 52, "a new connection makes it no faster, and no worse when it goes on in time"


def test_a_device_whose_samples_are_a_little_too_many_is_no_offence() -> None:
    s, ear = stream(1000, lead_ms=3000)
    now_ms, time_ms = NOW_MS, 1000
    for seq in range(5000):
        accept(s, seq, time_ms, now_ms=now_ms)
        now_ms += 60
        time_ms += 60 - (40 if seq % 100 == 99 else 0)
    assert len(ear.fed) == 5000


def test_a_packet_of_last_year_is_refused() -> None:
    s, _ = stream(1000)
    with pytest.raises(PeerError) as caught:
        accept(s, 0, 1000, now_ms=NOW_MS + 365 * 86_400_000)
    assert caught.value.code == "bad_time"


def test_the_clock_is_corrected_where_the_stream_pauses() -> None:
    clock = Clock(1000, 0)
    for at, late in ((5000, 200), (6000, 100), (7000, 900)):
        clock.report(at, at + 1000 + late)
    clock.correct(pause=False)
    assert clock.offset_ms == 1000
    clock.correct(pause=True)
    assert clock.offset_ms == 1100, "the quickest report counts"


def test_a_single_late_report_moves_nothing() -> None:
    clock = Clock(1000, 0)
    clock.restart(5000, 9000)
    clock.report(5000, 9000)
    clock.correct(pause=False)
    clock.correct(pause=True)
    assert clock.offset_ms == 1000


@pytest.mark.parametrize("back_ms", [10_000, 3_600_000, 90_000_000])
def test_a_hub_whose_clock_was_set_back_takes_the_device_again(back_ms: int) -> None:
    s, _ = stream()
    accept(s, 0, 0, now_ms=NOW_MS)
    s.reconnected(60, NOW_MS + 60 - back_ms)
    assert accept(s, 1, 60, now_ms=NOW_MS + 120 - back_ms) == (True, [])


def test_old_reports_lose_their_say_when_the_hubs_clock_jumps_forward() -> None:
    clock = Clock(1000, 0)
    hour = 3_600_000
    for at in range(0, 300_000, 10_000):
        clock.report(at, at + 1000 + (hour if at >= 60_000 else 0))
        clock.correct(pause=False)
    assert clock.offset_ms == 1000 + hour


def test_a_clock_a_day_off_is_a_mistake_within_a_connection_and_taken_in_a_new_one() -> None:
    clock = Clock(1000, 0)
    with pytest.raises(PeerError) as caught:
        clock.report(1 << 53, 6000)
    assert caught.value.code == "bad_time" and clock.offset_ms == 1000
    clock.restart(5000, 5000 + 90_000_000)
    assert clock.offset_ms == 90_000_000
    assert clock.unwrap(5060) == 5060


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), min_size=1, max_size=40))
def test_whatever_is_lost_or_resent_each_packet_is_fed_once_in_order(steps: list[tuple[int, int]]) -> None:
    s, ear = stream()
    number, time_ms, lost = 0, 0, 0
    for skip, pause in steps:
        lost += skip
        number, time_ms = number + skip, time_ms + 60 * skip + pause
        _, gaps = accept(s, number, time_ms, flags=1 if pause else 0)
        lost -= sum(g.packets for g in gaps)
        number, time_ms = number + 1, time_ms + 60
    assert lost == 0
    seqs = [seq for seq, *_ in ear.fed]
    assert seqs == sorted(set(seqs)) and len(seqs) == len(steps)


def test_a_real_ear_takes_what_a_stream_feeds() -> None:
    bank = EarBank(SegmentConfig())
    s = Stream(
        "kitchen", "Kitchen", "b" * 16, bank.open(), Clock(NOW_MS, 0), FeatureLog(FeatureTaps()), lead_ms=3000
    )
    for i in range(10):
        assert accept(s, i, 60 * i) == (True, [])
    while bank.busy:
        bank.step()
    assert s.ear.pending < 512
