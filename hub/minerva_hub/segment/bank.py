"""All ears together: their windows are judged in as few inference calls as possible."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from minerva_hub.config import SegmentConfig
from minerva_hub.segment.ear import CONTEXT, ROW, Ear, Heard
from minerva_hub.segment.segmenter import WINDOW
from minerva_hub.segment.vad import VadBank

_SCALE: Final = np.float32(1 / 32768)


class EarBank:
    """The ears of all streams. `open`, `close` and the ears' `feed` may run beside `step` in another thread.

    `decided` counts the windows judged, `inferred` those of them that were loud enough to ask the network.
    """

    def __init__(self, config: SegmentConfig, vad: VadBank | None = None, *, backlog_s: float = 20.0) -> None:
        self.decided = 0
        self.inferred = 0
        self._config = config
        self._backlog_s = backlog_s
        self._vad = vad or VadBank()
        self._floor = 10 ** (config.floor_db / 10)
        self._woken: deque[Ear] = deque()
        self._active: dict[Ear, None] = {}
        self._placed: dict[int, Ear] = {}
        self._rows: npt.NDArray[np.int16]
        self._spans: npt.NDArray[np.int16]
        self._make_rows(64)

    def open(self) -> Ear:
        """An ear for a new stream."""
        return Ear(self._config, self._backlog_s, self._wake)

    def close(self, ear: Ear) -> None:
        """The ear is not needed any more; what it still holds is dropped."""
        ear.closed = True
        self._wake(ear)

    @property
    def busy(self) -> bool:
        """Whether a step may find something to do."""
        return bool(self._woken or self._active)

    def step(self, rounds: int = 8) -> Heard:
        """Judge what waits, one window an ear and round; what the ears heard, in order for each ear.

        `rounds` bounds the time of one step after a long wait; the rest is left to the next one (see `busy`).
        When it is not busy afterwards, every window that was complete before the call is judged.
        """
        heard: Heard = []
        while self._woken:
            ear = self._woken.popleft()
            ear.awake = False
            self._active[ear] = None
        ready = list(self._active)
        for _ in range(rounds):
            ready = [ear for ear in ready if self._prepare(ear, heard)]
            if not ready:
                break
            self._judge(ready, heard)
        return heard

    def _wake(self, ear: Ear) -> None:
        ear.awake = True
        self._woken.append(ear)

    def _prepare(self, ear: Ear, heard: Heard) -> bool:
        """Bring the ear to its next window; False, and out of the active ones, when it has none."""
        if ear.closed:
            self._release(ear)
        else:
            if ear.slot < 0:
                self._place(ear)
            if ear.advance(heard):
                return True
        del self._active[ear]
        return False

    def _judge(self, ears: list[Ear], heard: Heard) -> None:
        slots = np.array([ear.slot for ear in ears])
        self._vad.reset(slots[[ear.fresh for ear in ears]])
        starts = slots * ROW + [ear.at for ear in ears]
        windows = self._spans[starts].astype(np.float32)
        windows *= _SCALE
        judged = windows[:, CONTEXT:]
        power = np.einsum("ij,ij->i", judged, judged) / WINDOW
        ask = np.flatnonzero((power >= self._floor) | [ear.speaking for ear in ears])
        probabilities = np.zeros(len(ears), np.float32)
        if len(ask):
            everyone = len(ask) == len(ears)
            probabilities[ask] = self._vad.infer(slots[ask], windows if everyone else windows[ask])
        self.decided += len(ears)
        self.inferred += len(ask)
        for ear, probability in zip(ears, probabilities.tolist(), strict=True):
            ear.decide(probability, heard)

    def _place(self, ear: Ear) -> None:
        slot = self._vad.open()
        if slot >= len(self._rows):
            self._make_rows(max(2 * len(self._rows), slot + 1))
        self._rows[slot] = 0
        self._placed[slot] = ear
        ear.place(slot, self._rows[slot])

    def _release(self, ear: Ear) -> None:
        if ear.slot >= 0:
            del self._placed[ear.slot]
            self._vad.close(ear.slot)
            ear.slot = -1

    def _make_rows(self, count: int) -> None:
        rows = np.empty((count, ROW), np.int16)
        for slot, ear in self._placed.items():
            rows[slot] = self._rows[slot]
            ear.place(slot, rows[slot])
        self._rows = rows
        self._spans = np.lib.stride_tricks.sliding_window_view(rows.reshape(-1), CONTEXT + WINDOW)
