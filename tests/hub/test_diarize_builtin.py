from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize import choose_diarizer
from minerva_hub.diarize.base import Bounds
from minerva_hub.diarize.builtin import BuiltinDiarizer
from minerva_hub.diarize.features import CEPSTRA, Frames
from minerva_hub.diarize.voice import STATISTICS, statistics, voice_space
from minerva_hub.errors import ConfigError
from minerva_tools.conversation import Conversation, load_demo

GAIN = 5.6  # what a device makes of the bundled sound: speech at -36 dBFS


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


def builtin() -> BuiltinDiarizer:
    return BuiltinDiarizer(Bounds(), "")


def test_the_bundled_conversation_has_its_speakers(demo: Conversation) -> None:
    diarizer = choose_diarizer(DiarizeConfig(engine="builtin"))
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
        assert book.settle() == labels


def test_a_segment_with_two_speakers_is_cut_between_them(demo: Conversation) -> None:
    first, second = demo.reference.rooms[0].turns[:2]
    one = cut(demo, "Kitchen", first.start_s - 0.2, first.end_s + 0.1)
    two = cut(demo, "Kitchen", second.start_s - 0.1, second.end_s + 0.3)
    a, b = builtin().split(np.concatenate([one, two]))
    assert a.end_s == pytest.approx(len(one) / 16000 - 0.1, abs=0.1)
    assert b.start_s == pytest.approx(len(one) / 16000 + 0.1, abs=0.1)
    book = builtin().open_book()
    assert set(book.add([(1, a.voice, 3), (2, b.voice, 3)]).labels.values()) == {"Speaker A", "Speaker B"}


def test_one_speakers_line_with_a_pause_stays_one_turn(demo: Conversation) -> None:
    turn = demo.reference.rooms[0].turns[7]
    halves = (
        cut(demo, "Kitchen", turn.start_s - 0.2, turn.start_s + 1.2),
        cut(demo, "Kitchen", turn.start_s + 1.2, turn.end_s + 0.2),
    )
    quiet = cut(demo, "Kitchen", 0.2, 0.7)
    assert len(builtin().split(np.concatenate([halves[0], quiet, halves[1]]))) == 1


def test_the_same_samples_give_the_same_turns(demo: Conversation) -> None:
    pcm = cut(demo, "Kitchen", 1.0, 12.0)
    first, again = (builtin().split(pcm) for _ in range(2))
    assert [(t.start_s, t.end_s, t.voice.place.tolist()) for t in first] == [
        (t.start_s, t.end_s, t.voice.place.tolist()) for t in again
    ]


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 500, 16000])
def test_silence_and_next_to_nothing_do_no_harm(samples: int) -> None:
    turns = builtin().split(np.zeros(samples, np.int16), [Said(0, 0.4)])
    assert len(turns) == (samples >= 160)
    assert all(0 <= t.start_s < t.end_s <= samples / 16000 for t in turns)
    assert all(np.isfinite(t.voice.place).all() for t in turns)


def test_statistics_are_of_the_chosen_frames_by_their_voicing() -> None:
    cepstra = np.zeros((40, CEPSTRA))
    cepstra[10:20], cepstra[20:30] = 1.0, 2.0
    pitch = np.where(np.arange(40) < 20, np.log(100.0), np.log(400.0))
    voicing = np.where((np.arange(40) >= 10) & (np.arange(40) < 20), 0.9, 0.1)
    frames = Frames(cepstra, pitch, voicing, np.zeros(40))
    chosen = np.zeros(40, bool)
    chosen[10:30] = True
    found = statistics(frames, chosen)
    assert found.shape == (STATISTICS,)
    assert found[:CEPSTRA].tolist() == [1.0] * CEPSTRA  # voiced
    assert found[2 * CEPSTRA : 3 * CEPSTRA].tolist() == [2.0] * CEPSTRA  # not voiced
    assert found[-4:-1] == pytest.approx([np.log(100.0)] * 3)


def test_likeness_falls_with_distance_and_is_surer_of_longer_stretches() -> None:
    space = voice_space()
    here = np.zeros((1, len(space.between)))
    one, ten = space.weights(np.array([1.0])), space.weights(np.array([10.0]))
    steps = [float(space.alike(here, one, here + away, one)[0, 0]) for away in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert steps == sorted(steps, reverse=True) and steps[0] > 0 > steps[-1]
    assert space.alike(here, ten, here, ten)[0, 0] > steps[0]
    assert space.alike(here, ten, here + 2.0, ten)[0, 0] < steps[3]


@pytest.mark.parametrize(
    ("config", "bounds"),
    [
        (DiarizeConfig(), Bounds(1, 8)),
        (DiarizeConfig(speakers=3), Bounds(3, 3)),
        (DiarizeConfig(min_speakers=2, max_speakers=4), Bounds(2, 4)),
    ],
)
def test_the_settings_bound_the_count(config: DiarizeConfig, bounds: Bounds) -> None:
    from minerva_hub.diarize.choose import bounds as bounds_of

    assert bounds_of(config) == bounds


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="min_speakers 9 is more than max_speakers 8"):
        choose_diarizer(DiarizeConfig(min_speakers=9))


def test_the_choice_and_its_reason() -> None:
    auto = choose_diarizer(DiarizeConfig()).info
    assert (auto.stage, auto.name, auto.state) == ("diarize", "builtin", "rough")
    assert "roughly" in auto.reason
    off = choose_diarizer(DiarizeConfig(engine="off"))
    assert off.info.state == "off"
    (turn,) = off.split(np.ones(16000, np.int16))
    assert (turn.start_s, turn.end_s) == (0.0, 1.0)
    book = off.open_book()
    assert book.add([(1, turn.voice, 1.0), (2, turn.voice, 1.0)]).labels == {1: "Speaker A", 2: "Speaker A"}
    assert book.settle({1: "Anna", 2: "Speaker A"}) == {1: "Anna", 2: "Speaker A"}
