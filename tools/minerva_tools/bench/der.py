"""Speakers told apart by the built-in engine, their number unknown: DER and right counts, clean and at 15 dB.

Conversations of two to four voices of flite and espeak-ng, of which none was used for tuning, one at least of
each program; coded as devices send them, cut by the hub's speech detector. What is scored is what a session's
lines say after it has ended; the labels while it goes on are shown beside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Final

import numpy as np
from minerva_hub.config import DiarizeConfig, SegmentConfig
from minerva_hub.diarize import Diarizer, choose_diarizer

from minerva_tools.diarizing import coded, labelled, segments
from minerva_tools.material import sessions, speakers
from minerva_tools.measure import Result, at_least, at_most, figure
from minerva_tools.scoring import DER_CONVENTIONS, Rate, der

SEED: Final = 150_000
SESSIONS: Final = 20  # under each condition
MAX_DER: Final = 0.15
MIN_COUNTED: Final = 0.80
CONDITIONS: Final = {"clean": None, "15_db": 15.0}
_COUNTS: Final = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class Judged:
    """One conversation: DER while it went on and after it, speakers found and really there."""

    online: Rate
    final: Rate
    found: int
    expected: int


def run(seed: int = SEED, voices: tuple[str, ...] = speakers.EVALUATION) -> Iterable[Result]:
    """Judge conversations made from the seed; VoiceError when a program or voice is missing."""
    speakers.check_voices(voices)
    if len(voices) < max(_COUNTS):
        raise speakers.VoiceError(f"{len(voices)} voices: conversations of up to {max(_COUNTS)} need as many")
    diarizer = engine()
    everything: list[Judged] = []
    for name, snr_db in CONDITIONS.items():
        judged = []
        for number in range(SESSIONS):
            rng = np.random.default_rng([seed, number, 0 if snr_db is None else round(snr_db)])
            count = _COUNTS[number % len(_COUNTS)]
            made = sessions.talk(rng, sessions.draw(rng, voices, count), snr_db=snr_db, train=False)
            judged.append(judge(made, diarizer))
            one = judged[-1]
            print(
                f"der {name} {number}: {one.final.value:.3f}, {one.found} of {one.expected} "
                f"({', '.join(made.voices)})",
                file=sys.stderr,
                flush=True,
            )
        everything += judged
        yield from _shown(name, judged, seed)
    under = f"{len(everything)} conversations, seed {seed}. {DER_CONVENTIONS}"
    yield at_most("der", mean(one.final.value for one in everything), "", MAX_DER, under)
    right = [one.found == one.expected for one in everything]
    named = f"number of speakers unknown; voices {', '.join(voices)}; tuned on {', '.join(speakers.TUNING)}"
    yield at_least("counted", mean(right), "of conversations", MIN_COUNTED, named)


def engine() -> Diarizer[Any]:
    """The built-in engine as it comes: the number of speakers is not known."""
    return choose_diarizer(DiarizeConfig(engine="builtin"))


def judge(made: sessions.Talk, diarizer: Diarizer[Any]) -> Judged:
    """Label one conversation and compare with the truth."""
    online, final = labelled(segments(coded(made.pcm), SegmentConfig()), diarizer)
    return Judged(
        online=der(made.stretches, online),
        final=der(made.stretches, final),
        found=len({speaker for _, _, speaker in final}),
        expected=len(made.voices),
    )


def _shown(name: str, judged: Sequence[Judged], seed: int) -> Iterable[Result]:
    under = f"{len(judged)} conversations of 2, 3 and 4 voices, seed {seed}"
    yield figure(f"{name}.der", mean(one.final.value for one in judged), "", under)
    yield figure(f"{name}.der_online", mean(one.online.value for one in judged), "", under)
    yield figure(
        f"{name}.counted", mean(one.found == one.expected for one in judged), "of conversations", under
    )
    for count in _COUNTS:
        found = [one.found for one in judged if one.expected == count] or [0]
        yield figure(f"{name}.found_of_{count}", mean(found), "speakers", f"mean of {len(found)}")
