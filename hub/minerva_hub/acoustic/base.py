"""What a sound engine is, and what goes into it: patches of features, computed once for each stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from minerva.wire import HOP_MS, MEL_BANDS
from numpy.typing import NDArray

from minerva_hub.acoustic.labels import LABELS
from minerva_hub.events import EngineInfo

PATCH_HOPS: Final = 96
STEP_HOPS: Final = 48  # patches overlap by half
PATCH_MS: Final = PATCH_HOPS * HOP_MS
STEP_MS: Final = STEP_HOPS * HOP_MS
WAVEFORM: Final = 15_600  # the samples that 96 hops are made of
MAX_BATCH: Final = 256  # patches: two minutes of sound, 16 MB with their samples

Patches = NDArray[np.uint8]
Waveforms = NDArray[np.int16]
Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Patches uint8 (n, 96, 64) of `minerva-mel64`; their samples int16 (n, 15600), where the hub has any."""

    patches: Patches
    waveforms: Waveforms | None = None

    def __len__(self) -> int:
        return len(self.patches)


class SoundEngine(Protocol):
    """A network that is loaded; one thread at a time may use it."""

    @property
    def info(self) -> EngineInfo:
        """Name, model, and the reason of the choice."""
        ...

    def scores(self, batch: Batch) -> Scores:
        """float32 (n, len(LABELS)), 0 to 1 each. Blocks; the same batch gives the same scores.

        ValueError for another batch than described, or for features alone where the engine takes samples;
        EngineError when it failed.
        """
        ...


def checked(batch: Batch, *, samples: bool) -> Batch:
    """The batch; ValueError unless its shapes and types are as they should be, with samples if asked for."""
    wanted = (len(batch.patches), PATCH_HOPS, MEL_BANDS)
    if batch.patches.dtype != np.uint8 or batch.patches.shape != wanted:
        raise ValueError(f"patches are {batch.patches.dtype} {batch.patches.shape}, expected uint8 {wanted}")
    if len(batch) > MAX_BATCH:
        raise ValueError(f"{len(batch)} patches exceed the limit of {MAX_BATCH}")
    if not samples:
        return batch
    if batch.waveforms is None:
        raise ValueError("this engine takes samples, and the batch has features alone")
    expected = (len(batch.patches), WAVEFORM)
    if batch.waveforms.dtype != np.int16 or batch.waveforms.shape != expected:
        raise ValueError(
            f"samples are {batch.waveforms.dtype} {batch.waveforms.shape}, expected int16 {expected}"
        )
    return batch


def no_scores(count: int) -> Scores:
    """Room for the scores of so many patches."""
    return np.zeros((count, len(LABELS)), np.float32)
