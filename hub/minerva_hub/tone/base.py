"""What an emotion engine is, and the tone of an utterance from what it and the prosody say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minerva_hub.events import Affect, EngineInfo, Prosody, Tone
from minerva_hub.tone.trajectory import BASELINE, Relative

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model hears in an utterance: the nearest word of the vocabulary, `confidence` 0 to 1."""

    affect: Affect
    confidence: float


class EmotionReader(Protocol):
    """A loaded engine; threads use it side by side."""

    @property
    def info(self) -> EngineInfo:
        """Name, model, and the reason of the choice."""
        ...

    def read(self, pcm: Pcm) -> Reading | None:
        """pcm: int16 (n,), 16 kHz mono, one utterance -> its affect; None: this engine tells none.

        Blocks. EngineError when the model fails on it.
        """
        ...


class NoModel:
    """Prosody alone: changes of voice are told, affect is neutral, and why is said."""

    def __init__(self, reason: str) -> None:
        self.info = EngineInfo(stage="tone", name="prosody", state="ready", reason=reason)

    def read(self, pcm: Pcm) -> Reading | None:
        """Nothing: without a model no affect is made up."""
        return None


def tone_of(said: Sequence[Prosody], reading: Reading | None, why_none: str) -> Tone:
    """The tone of the last of a speaker's utterances in a session, `said` in order of time.

    `why_none` says why there is no reading, where there is none. ValueError without utterances.
    """
    relative = Relative(said)
    reasons = [] if reading is not None else [why_none]
    if not relative.known:
        reasons.append(f"baseline: {min(len(said), BASELINE)} of {BASELINE} utterances")
    return Tone(
        affect="neutral" if reading is None else reading.affect,
        confidence=0.0 if reading is None else round(reading.confidence, 3),
        shift=relative.shift,
        shift_magnitude=relative.magnitude,
        arousal_delta=relative.arousal_delta,
        flags=relative.flags,
        reason="; ".join(reasons),
    )
