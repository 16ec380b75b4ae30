"""How well a conversation was written down: wrong words (WER), wrongly given time (DER), speakers.

WER: texts are lower-cased; all but letters, digits and apostrophes within words parts words. Numbers are
not spelled out: write them in words. The texts of a room are joined in order of time; errors (substituted,
deleted, inserted words) of all rooms are divided by the reference words of all rooms.

DER (pyannote.metrics): missed speech, false alarms and confused speakers, divided by the reference speech. A
collar of 0.25 s in all, 0.125 s on each side of every reference boundary, is not scored; overlapped speech is
scored (skip_overlap is off). Speakers are matched anew in each room, the best way for it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minerva_tools.conversation import Reference, RoomReference

COLLAR_S: Final = 0.25
DER_CONVENTIONS: Final = (
    "DER: pyannote.metrics, collar 0.25 s in all (0.125 s on each side), overlapped speech scored"
)
CONVENTIONS: Final = (
    f"WER: lower case, punctuation removed, pooled over rooms. {DER_CONVENTIONS}, pooled over rooms."
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance as written down; seconds on the conversation's clock."""

    room: str
    speaker: str
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors out of a total: words for WER, seconds for DER."""

    errors: float
    total: float

    @property
    def value(self) -> float:
        """Errors for each unit of the reference; without a reference 0, or 1 when there are any."""
        return self.errors / self.total if self.total else float(self.errors > 0)

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.errors + other.errors, self.total + other.total)


@dataclass(frozen=True, slots=True)
class RoomScore:
    """One room's figures; `speakers` and `expected` are counts."""

    wer: Rate
    der: Rate
    speakers: int
    expected: int


@dataclass(frozen=True, slots=True)
class Score:
    """A conversation's figures, by room and pooled."""

    rooms: Mapping[str, RoomScore]

    @property
    def wer(self) -> float:
        """Word error rate over all rooms."""
        return sum((room.wer for room in self.rooms.values()), Rate(0, 0)).value

    @property
    def der(self) -> float:
        """Diarization error rate over all rooms."""
        return sum((room.der for room in self.rooms.values()), Rate(0, 0)).value

    @property
    def speakers_right(self) -> bool:
        """Whether every room has as many speakers as really spoke there."""
        return all(room.speakers == room.expected for room in self.rooms.values())


def score(reference: Reference, spoken: Iterable[Spoken]) -> Score:
    """Compare what was written down with the truth; rooms that the truth does not know count in full."""
    heard: dict[str, list[Spoken]] = {room.room: [] for room in reference.rooms}
    for utterance in spoken:
        heard.setdefault(utterance.room, []).append(utterance)
    known = {room.room: room for room in reference.rooms}
    return Score(
        {
            name: score_room(known.get(name, RoomReference(room=name, turns=())), utterances)
            for name, utterances in heard.items()
        }
    )


def score_room(reference: RoomReference, spoken: Sequence[Spoken]) -> RoomScore:
    """One room's figures."""
    ordered = sorted(spoken, key=lambda utterance: (utterance.start_s, utterance.end_s))
    turns = sorted(reference.turns, key=lambda turn: turn.start_s)
    truth = [(start, end, turn.speaker) for turn in turns for start, end in turn.speech]
    return RoomScore(
        wer=wer([turn.text for turn in turns], [utterance.text for utterance in ordered]),
        der=der(truth, [(u.start_s, u.end_s, u.speaker) for u in ordered]),
        speakers=len({utterance.speaker for utterance in ordered}),
        expected=len({turn.speaker for turn in turns}),
    )


def wer(reference: Sequence[str], hypothesis: Sequence[str]) -> Rate:
    """Word errors between texts in order of time, joined: how they are parted does not matter."""
    import jiwer

    truth, heard = normalised(" ".join(reference)), normalised(" ".join(hypothesis))
    if not truth:
        return Rate(len(heard.split()), 0)
    measured = jiwer.process_words(truth, heard)
    errors = measured.substitutions + measured.deletions + measured.insertions
    return Rate(errors, len(truth.split()))


def normalised(text: str) -> str:
    """Text as WER compares it: lower case, words and apostrophes only."""
    text = text.lower().replace("\u2019", "'")
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))


def der(
    reference: Iterable[tuple[float, float, str]], hypothesis: Iterable[tuple[float, float, str]]
) -> Rate:
    """Wrong seconds out of reference seconds; both sides are (start_s, end_s, speaker)."""
    with warnings.catch_warnings():
        # pyannote warns that it takes the reference's extent as the evaluated region, which is what is meant.
        warnings.simplefilter("ignore")
        from pyannote.core import Annotation, Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate

        def annotated(stretches: Iterable[tuple[float, float, str]]) -> Any:
            annotation = Annotation()
            for track, (start_s, end_s, speaker) in enumerate(stretches):
                if end_s > start_s:
                    annotation[Segment(start_s, end_s), track] = speaker
            return annotation

        truth, heard = annotated(reference), annotated(hypothesis)
        extent = truth.get_timeline().extent() | heard.get_timeline().extent()
        metric = DiarizationErrorRate(collar=COLLAR_S, skip_overlap=False)
        parts = metric.compute_components(truth, heard, uem=Timeline([extent]))
    errors = parts["missed detection"] + parts["false alarm"] + parts["confusion"]
    return Rate(float(errors), float(parts["total"]))
