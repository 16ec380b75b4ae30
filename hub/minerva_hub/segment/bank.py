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
_CALM: Final = 0.1  # a window of a lower probability is noise
_LEARN: Final = 8  # windows of noise, 0.26 s, before a run trusts its mean
_MEMORY: Final = 32  # windows, about a second: a fan that starts is soon part of the noise
_ABOVE: Final = np.float32(1.8)  # 2.5 dB: steady noise stays below, the first window of a word does not

_Slots = npt.NDArray[np.int64]
_Powers = npt.NDArray[np.float32]


class EarBank:
    """The ears of all streams. `open`, `close` and the ears' `feed` may run beside `step` in another thread.

    `decided` counts the windows judged, `inferred` those of them that stood out enough to ask the network.
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
        self._noise = np.zeros(0, np.float32)  # mean power of the run's windows that were not speech
        self._calm = np.zeros(0, np.int64)  # how many those were
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
        fresh = slots[[ear.fresh for ear in ears]]
        self._vad.reset(fresh)
        self._noise[fresh] = 0.0
        self._calm[fresh] = 0
        starts = slots * ROW + [ear.at for ear in ears]
        windows = self._spans[starts].astype(np.float32)
        windows *= _SCALE
        judged = windows[:, CONTEXT:]
        power = np.einsum("ij,ij->i", judged, judged) / WINDOW
        speaking = np.array([ear.speaking for ear in ears])
        ask = np.flatnonzero(self._is_worth_asking(slots, power) | speaking)
        probabilities = np.zeros(len(ears), np.float32)
        if len(ask):
            everyone = len(ask) == len(ears)
            probabilities[ask] = self._vad.infer(slots[ask], windows if everyone else windows[ask])
        calm = (probabilities < _CALM) & ~speaking
        self._learn(slots[calm], power[calm])
        self.decided += len(ears)
        self.inferred += len(ask)
        for ear, probability in zip(ears, probabilities.tolist(), strict=True):
            ear.decide(probability, heard)

    def _is_worth_asking(self, slots: _Slots, power: _Powers) -> npt.NDArray[np.bool_]:
        """Whether a window is louder than the fixed floor and than its run's noise, once that is known."""
        above_noise = (power > _ABOVE * self._noise[slots]) | (self._calm[slots] < _LEARN)
        worth: npt.NDArray[np.bool_] = (power >= self._floor) & above_noise
        return worth

    def _learn(self, slots: _Slots, power: _Powers) -> None:
        """Take windows that are not speech into the mean noise of their runs."""
        self._calm[slots] += 1
        self._noise[slots] += (power - self._noise[slots]) / np.minimum(self._calm[slots], _MEMORY)

    def _place(self, ear: Ear) -> None:
        slot = self._vad.open()
        if slot >= len(self._rows):
            self._make_rows(max(2 * len(self._rows), slot + 1))
        self._rows[slot] = 0
        self._noise[slot] = self._calm[slot] = 0
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
        self._noise = np.concatenate([self._noise, np.zeros(count - len(self._noise), np.float32)])
        self._calm = np.concatenate([self._calm, np.zeros(count - len(self._calm), np.int64)])
        self._rows = rows
        self._spans = np.lib.stride_tricks.sliding_window_view(rows.reshape(-1), CONTEXT + WINDOW)
