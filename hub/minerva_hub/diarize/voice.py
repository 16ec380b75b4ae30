"""The built-in engine's space of voices: statistics of frames, turned so that what tells people apart counts.

The statistics of a stretch are means and variations of cepstra where it is voiced, means where it is not, and
pitch. `voice_space.json` holds the matrix that makes PLACES numbers of them: the directions in which voices
scatter most for their scatter within a voice (linear discriminant analysis), each scaled to a variance of 1
within a voice over one second, and how much voices scatter there. minerva_tools.voice_space made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from minerva_hub.diarize.features import CEPSTRA, VOICED, Floats, Frames
from minerva_hub.diarize.space import Rules, Voice

STATISTICS: Final = 4 * CEPSTRA + 4
MIN_VOICED_S: Final = 0.05
MIN_FRAMES: Final = 5  # of which a mean says anything
# Variances against that of one voice over one second. A stretch of t seconds scatters by SCATTER + 1 / t, and
# two long stretches of one voice still differ by STEADY: the same person moves, turns and tires.
SCATTER: Final = 0.15
STEADY: Final = 0.1
RULES: Final = Rules(same=0.0, founds_s=1.0, sure_s=3.0, doubt=12.0, neighbour=1.0, known=20.0, apart=8.0)
SPACE_FILE: Final = "voice_space.json"


class SpaceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """voice_space.json: `matrix` (PLACES, STATISTICS), `between` (PLACES,), and what it was made of.

    `first` is the mean of the first room's statistics: a test makes that room alone to see that the sounds
    and statistics are those that the matrix was made of.
    """

    voices: list[str]
    first: list[float]
    between: list[float]
    matrix: list[list[float]]


@dataclass(frozen=True, slots=True)
class VoiceSpace:
    """matrix (d, STATISTICS), variance `between` voices (d,); places are `statistics @ matrix.T`."""

    matrix: Floats
    between: Floats
    id: str = "builtin-1"
    rules: Rules = RULES

    def weights(self, voiced_s: Floats) -> Floats:
        """See Space."""
        return np.asarray(1 / (SCATTER + 1 / voiced_s))

    def alike(self, left: Floats, left_weight: Floats, right: Floats, right_weight: Floats) -> Floats:
        """Log likelihood ratio that two voices are one. See Space.

        The mean of all voices in a session is not known, so only the difference of two of them is judged.
        """
        within = (1 / left_weight[:, None] + 1 / right_weight[None] + STEADY)[..., None]
        apart = within + 2 * self.between
        squared = (left[:, None] - right[None]) ** 2
        return np.asarray(0.5 * (np.log(apart / within) + squared / apart - squared / within).sum(axis=-1))


@cache
def voice_space() -> VoiceSpace:
    """The space that Minerva brings."""
    text = resources.files("minerva_hub.diarize").joinpath(SPACE_FILE).read_bytes()
    file = msgspec.json.decode(text, type=SpaceFile)
    return VoiceSpace(np.array(file.matrix), np.array(file.between))


def measure(frames: Frames, chosen: NDArray[np.bool_]) -> Voice:
    """The voice of the frames that `chosen` (bool, (n,)) marks."""
    if not chosen.any():
        chosen = np.ones(len(frames), bool)
    voiced = chosen & (frames.voicing > VOICED)
    seconds = max(float(np.count_nonzero(voiced)) / 100, MIN_VOICED_S)
    return Voice(voice_space().matrix @ statistics(frames, chosen), seconds)


def statistics(frames: Frames, chosen: NDArray[np.bool_]) -> Floats:
    """What the frames that `chosen` marks are like: float64 (STATISTICS,)."""
    voiced = chosen & (frames.voicing > VOICED)
    if np.count_nonzero(voiced) < MIN_FRAMES:  # a whisper, a cough: next to nothing is known about the voice
        voiced = chosen
    breathed = chosen & ~voiced
    if np.count_nonzero(breathed) < MIN_FRAMES:
        breathed = voiced
    cepstra, pitch = frames.cepstra[voiced], frames.pitch[voiced]
    steps = np.diff(cepstra, axis=0) if len(cepstra) > 1 else np.zeros((1, CEPSTRA))
    low, middle, high = np.percentile(pitch, [10, 50, 90])
    return np.concatenate(
        [
            cepstra.mean(axis=0),
            np.log(cepstra.std(axis=0) + 0.05),
            frames.cepstra[breathed].mean(axis=0),
            np.log(steps.std(axis=0) + 0.03),
            [low, middle, high, np.log(pitch.std() + 0.02)],
        ]
    )
