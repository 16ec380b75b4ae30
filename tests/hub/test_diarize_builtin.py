from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize import choose_diarizer
from minerva_hub.diarize.book import MAX_TURNS, BuiltinBook
from minerva_hub.diarize.builtin import BuiltinDiarizer
from minerva_hub.diarize.voice import PASSING, Voice
from minerva_tools.conversation import Conversation, load_demo

GAIN = 5.6  # what a device makes of the bundled sound: speech at -36 dBFS
RNG = np.random.default_rng(11)


@dataclass(frozen=True)
class Said:
    start_s: float
    end_s: float


@pytest.fixture(scope="module")
def demo() -> Conversation:
    return load_demo()


def cut(demo: Conversation, room: str, start_s: float, end_s: float) -> np.ndarray:
    sound = demo.sound[room][int(start_s * 16000) : int(end_s * 16000)]
    return np.round(sound * GAIN).astype(np.int16)


def voice(place: float, seconds: float = 2.0) -> Voice:
    """A voice that stands `place` within-voice deviations from the middle in every measure."""
    return Voice(PASSING * (place + RNG.normal(0, 0.5 / np.sqrt(seconds), len(PASSING))), seconds)


def test_the_bundled_conversation_has_its_speakers(demo: Conversation) -> None:
    diarizer = choose_diarizer(DiarizeConfig())
    for room in demo.reference.rooms:
        book = diarizer.open_book()
        labels: dict[int, str] = {}
        for key, turn in enumerate(room.turns):
            pcm = cut(demo, room.room, turn.start_s - 0.24, turn.end_s + 0.3)
            (found,) = diarizer.split(pcm)
            assert found.start_s == pytest.approx(0.24, abs=0.25)  # one begins while noise fades
            assert found.end_s == pytest.approx(0.24 + turn.end_s - turn.start_s, abs=0.25)
            assignment = book.add([(key, found.voice, found.end_s - found.start_s)])
            labels |= assignment.labels
            labels |= assignment.changed
        names = {"A": "Speaker A", "B": "Speaker B", "C": "Speaker A"}
        assert labels == {key: names[turn.speaker] for key, turn in enumerate(room.turns)}


def test_a_segment_with_two_speakers_is_cut_between_them(demo: Conversation) -> None:
    first, second = demo.reference.rooms[0].turns[:2]
    one = cut(demo, "Kitchen", first.start_s - 0.2, first.end_s + 0.1)
    two = cut(demo, "Kitchen", second.start_s - 0.1, second.end_s + 0.3)
    a, b = BuiltinDiarizer(8, "").split(np.concatenate([one, two]))
    assert a.end_s == pytest.approx(len(one) / 16000 - 0.1, abs=0.1)
    assert b.start_s == pytest.approx(len(one) / 16000 + 0.1, abs=0.1)
    book = BuiltinDiarizer(8, "").open_book()
    assert set(book.add([(1, a.voice, 3), (2, b.voice, 3)]).labels.values()) == {"Speaker A", "Speaker B"}


def test_one_speakers_line_with_a_pause_stays_one_turn(demo: Conversation) -> None:
    turn = demo.reference.rooms[0].turns[7]
    halves = (
        cut(demo, "Kitchen", turn.start_s - 0.2, turn.start_s + 1.2),
        cut(demo, "Kitchen", turn.start_s + 1.2, turn.end_s + 0.2),
    )
    quiet = cut(demo, "Kitchen", 0.2, 0.7)
    assert len(BuiltinDiarizer(8, "").split(np.concatenate([halves[0], quiet, halves[1]]))) == 1


def test_the_same_samples_give_the_same_turns(demo: Conversation) -> None:
    pcm = cut(demo, "Kitchen", 1.0, 12.0)
    first, again = (BuiltinDiarizer(8, "").split(pcm) for _ in range(2))
    assert [(t.start_s, t.end_s, t.voice.mean.tolist()) for t in first] == [
        (t.start_s, t.end_s, t.voice.mean.tolist()) for t in again
    ]


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 500, 16000])
def test_silence_and_next_to_nothing_do_no_harm(samples: int) -> None:
    turns = BuiltinDiarizer(8, "").split(np.zeros(samples, np.int16), [Said(0, 0.4)])
    assert len(turns) == (samples >= 160)
    assert all(0 <= t.start_s < t.end_s <= samples / 16000 for t in turns)
    assert all(np.isfinite(t.voice.mean).all() for t in turns)


def test_labels_follow_the_first_appearance() -> None:
    book = BuiltinBook(8)
    places = [3.0, -3.0, 3.0, 0.0, -3.0]
    labels = [book.add([(i, voice(p), 2.0)]).labels[i] for i, p in enumerate(places)]
    assert labels == ["Speaker A", "Speaker B", "Speaker A", "Speaker C", "Speaker B"]


def test_an_early_mistake_is_put_right_when_more_is_known() -> None:
    book = BuiltinBook(8)
    far = Voice(PASSING * 0.95, 2.0)  # the same person, speaking unusually at first
    assert book.add([(1, far, 2.0), (2, Voice(PASSING * -0.95, 2.0), 2.0)]).labels == {
        1: "Speaker A",
        2: "Speaker B",
    }
    changed: dict[int, str] = {}
    for key in range(3, 12):
        changed |= book.add([(key, Voice(PASSING * 0.0, 2.0), 2.0)]).changed
    assert changed == {2: "Speaker A"}


def test_no_more_labels_than_are_allowed() -> None:
    book = BuiltinBook(2)
    labels = book.add([(i, voice(p), 2.0) for i, p in enumerate([4.0, 0.0, -4.0, 4.0, 0.0])]).labels
    assert set(labels.values()) == {"Speaker A", "Speaker B"}


def test_a_short_turn_leans_on_the_one_before() -> None:
    for before, expected in ((3.0, "Speaker A"), (-3.0, "Speaker B")):
        book = BuiltinBook(8)
        steady = [(key, Voice(PASSING * place, 2.0), 2.0) for key, place in enumerate((3.0, -3.0, before))]
        book.add(steady)
        assert book.add([(3, Voice(PASSING * 0.0, 0.2), 0.3)]).labels == {3: expected}


def test_a_long_session_stays_bounded_and_keeps_its_labels() -> None:
    book = BuiltinBook(8)
    labels: dict[int, str] = {}
    for start in range(0, MAX_TURNS + 60, 20):
        voices = [(key, voice(3.0 if key % 3 else -3.0), 2.0) for key in range(start, start + 20)]
        assignment = book.add(voices)
        labels |= assignment.labels
        assert not assignment.changed
    assert len(book._entries) == MAX_TURNS
    assert all(label == ("Speaker B" if key % 3 else "Speaker A") for key, label in labels.items())


def test_a_key_is_used_once() -> None:
    book = BuiltinBook(8)
    book.add([(7, voice(0), 1.0)])
    with pytest.raises(ValueError, match="key 7 was added before"):
        book.add([(7, voice(0), 1.0)])


def test_the_choice_and_its_reason() -> None:
    auto = choose_diarizer(DiarizeConfig()).info
    assert (auto.stage, auto.name, auto.state) == ("diarize", "builtin", "rough")
    assert "roughly" in auto.reason
    off = choose_diarizer(DiarizeConfig(engine="off"))
    assert off.info.state == "off"
    (turn,) = off.split(np.ones(16000, np.int16))
    assert (turn.start_s, turn.end_s) == (0.0, 1.0)
    assert off.open_book().add([(1, turn.voice, 1.0), (2, turn.voice, 1.0)]).labels == {
        1: "Speaker A",
        2: "Speaker A",
    }
