"""Features of a stream, computed once, cut into patches that overlap by half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from minerva.wire import HOP_MS, MEL_BANDS
from numpy.typing import NDArray

from minerva_hub.acoustic.base import PATCH_HOPS, STEP_HOPS, WAVEFORM

_STEP: Final = STEP_HOPS * 160  # samples


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """uint8 (96, 64) from `start_ms` on; its samples int16 (15600,) where the stream has any."""

    start_ms: int
    rows: NDArray[np.uint8]
    samples: NDArray[np.int16] | None = None


class Cutter:
    """One run of a stream -> patches. What is left when it ends is too little to judge, and is forgotten."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, MEL_BANDS), np.uint8)
        self._samples = np.zeros(0, np.int16)  # from the next patch's first on
        self._start_ms = 0

    def restart(self, start_ms: int) -> None:
        """What comes next is not contiguous with what was."""
        self._rows, self._samples = self._rows[:0], self._samples[:0]
        self._start_ms = start_ms

    def feed(self, rows: NDArray[np.uint8], samples: NDArray[np.int16] | None = None) -> Iterator[Patch]:
        """uint8 (n, 64), contiguous with what was fed before -> the patches that this completes.

        `samples` int16 (n,): the newest of those that the features are made of, which may be ahead of them.
        """
        self._rows = np.concatenate([self._rows, rows])
        if samples is not None:
            self._samples = np.concatenate([self._samples, samples])
        while len(self._rows) >= PATCH_HOPS:
            own = self._samples[:WAVEFORM].copy() if len(self._samples) >= WAVEFORM else None
            yield Patch(self._start_ms, self._rows[:PATCH_HOPS].copy(), own)
            self._rows, self._samples = self._rows[STEP_HOPS:], self._samples[_STEP:]
            self._start_ms += STEP_HOPS * HOP_MS
