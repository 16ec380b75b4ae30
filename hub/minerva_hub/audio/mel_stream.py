"""`minerva-mel64` of a stream, as it comes: each hop once, whatever the sizes of the packets."""

from __future__ import annotations

import numpy as np

from minerva_hub.audio.mel64 import HOP, WINDOW, Pcm, log_mel, quantise
from minerva_hub.audio.packets import Features


class MelStream:
    """Samples of one run -> rows of features; what is left of a window waits for the next samples."""

    def __init__(self) -> None:
        self._waiting = np.zeros(0, np.int16)

    def restart(self) -> None:
        """What comes next is not contiguous with what was."""
        self._waiting = self._waiting[:0]

    def feed(self, pcm: Pcm) -> Features:
        """int16 (n,), contiguous with what was fed before -> uint8 (hops, 64) that this completes."""
        waiting = np.concatenate([self._waiting, pcm])
        rows = quantise(log_mel(waiting))
        self._waiting = waiting[len(rows) * HOP :] if len(waiting) >= WINDOW else waiting
        return rows
