"""One stream's way from packets to segments.

An ear works in *runs*. A run begins at a packet with nothing remembered: no detector state, no pre-roll,
windows counted from the first sample. It ends at a packet boundary, when a segment has ended, when the gate
closed or time jumped, or in a lull, and that boundary is what the ear reports as settled. Packets beyond it
are taken again by the next run. So a hub that was killed, and is sent the packets after the last settled one
again, finds the same segments, to the sample, as a hub that was not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np
from minerva.wire import FRAME_SAMPLES, MAX_FRAMES

from minerva_hub.config import SegmentConfig
from minerva_hub.segment.heard import (
    EarEvent,
    Elsewhere,
    Packet,
    Samples,
    Segment,
    SegmentEnded,
    Settled,
    SoFar,
    SpeechBegan,
    SpeechDropped,
)
from minerva_hub.segment.segmenter import RATE, WINDOW, Segmenter, State, Verdict

MAX_PACKET: Final = FRAME_SAMPLES * MAX_FRAMES  # samples
CONTEXT: Final = 64  # samples before a window that the detector sees; zeros at the beginning of a run
ROW: Final = 4096  # samples of staging: context, an incomplete window and the longest packet fit

_JUMP_MS: Final = 40  # two frames: less is the clock's jitter
_TAIL_MS: Final = 240  # silence a segment keeps at its end, where the hangover is twice that or more
_PER_MS: Final = RATE // 1000

Heard = list[tuple["Ear", EarEvent]]


class Ear:
    """The stream of one device. `feed`, `skip`, `flush` and `pending` may be used beside `EarBank.step`."""

    __slots__ = (
        "_at", "_before", "_closing", "_config", "_expected_ms", "_fed", "_inbox", "_kept", "_last_quarter",
        "_limit", "_pre_roll", "_row", "_rules", "_settled", "_staged", "_taken", "_wake", "_windows",
        "awake", "closed", "slot",
    )  # fmt: skip

    def __init__(self, config: SegmentConfig, backlog_s: float, wake: Callable[[Ear], None]) -> None:
        self._config = config
        self._limit = int(backlog_s * RATE)
        self._pre_roll = config.pre_roll_ms * _PER_MS
        self._last_quarter = int(config.max_segment_s * RATE) // 4  # a full segment is cut in it
        self._wake = wake
        self._rules = Segmenter(config)
        self._inbox: deque[Packet | Elsewhere | None] = deque()
        self._fed = 0  # samples ever accepted; written by feed only
        self._taken = 0  # samples ever taken from the inbox; written by the bank's side only
        self._kept: deque[tuple[int, Packet]] = deque()  # packets of the run with the positions of their ends
        self._before: int | None = None  # seq of the packet before the first kept one, when it is of this run
        self._settled: int | None = None
        self._staged = 0  # position in the run, in samples, of the end of what is in the row
        self._windows = 0
        self._at = 0
        self._row: Samples = np.zeros(0, np.int16)
        self._expected_ms: float | None = None
        self._closing = False
        self.slot = -1
        self.awake = False
        self.closed = False

    # --- the feeding side ---

    def feed(
        self, pcm: Samples, start_ms: int, seq: int, *, begins: bool = False, ends: bool = False
    ) -> bool:
        """Take one packet: int16 (1 to 3200,) at 16 kHz, not changed afterwards, UTC of its first sample.

        `begins`: first after the gate opened or after a discontinuity; `ends`: the gate closes after it.
        False when the packet was dropped, because the backlog is full or the ear closed; the next one that is
        taken is then a jump in time.
        """
        size = len(pcm)
        if not 0 < size <= MAX_PACKET:
            raise ValueError(f"packet of {size} samples; 1 to {MAX_PACKET} are allowed")
        if self.closed or self._fed - self._taken + size > self._limit:
            return False
        self._fed += size
        self._inbox.append(Packet(pcm, start_ms, seq, begins, ends))
        if not self.awake:
            self._wake(self)
        return True

    def skip(self, size: int, seq: int) -> bool:
        """A packet without audio, `size` samples long: the run before it ends, then it is settled.

        It waits its turn, so that what is settled never overtakes audio. False as with `feed`.
        """
        if self.closed or self._fed - self._taken + size > self._limit:
            return False
        self._fed += size
        self._inbox.append(Elsewhere(size, seq))
        if not self.awake:
            self._wake(self)
        return True

    def flush(self) -> None:
        """The stream ends here (end of a file, device gone): speech going on is ended by the next step."""
        self._inbox.append(None)
        self._wake(self)

    @property
    def pending(self) -> int:
        """Samples that wait to be judged."""
        return self._fed - self._taken

    @property
    def crowded(self) -> bool:
        """Whether half of what may wait does: who feeds faster than real time should pause."""
        return 2 * self.pending > self._limit

    # --- the bank's side: called by EarBank.step, or between two steps ---

    @property
    def spoken(self) -> int:
        """Samples since the speech that goes on began, pauses in it included; 0 while nobody speaks."""
        return self._staged - self._rules.begin * WINDOW if self._rules.state is State.SPEECH else 0

    def so_far(self) -> SoFar | None:
        """What was said since the speech that goes on began; None while nobody speaks. Changes nothing."""
        if self._rules.state is not State.SPEECH:
            return None
        sound = np.concatenate([packet.pcm for _, packet in self._kept])
        first = self._staged - len(sound)
        start = max(self._rules.begin * WINDOW - self._pre_roll, first)
        last = self._kept[-1][1]
        end_ms = last.start_ms + len(last.pcm) // _PER_MS
        certain = self._staged <= (self._rules.begin + self._rules.longest) * WINDOW - self._last_quarter
        return SoFar(sound[start - first :], end_ms, certain)

    @property
    def speaking(self) -> bool:
        """Whether speech, or what may become speech, is going on."""
        return self._rules.state is not State.QUIET

    @property
    def decided_seq(self) -> int | None:
        """Number of the last packet whose every sample was judged; None before the first."""
        judged = self._windows * WINDOW
        for end, packet in reversed(self._kept):
            if end <= judged:
                return packet.seq
        return self._settled if self._before is None else self._before

    @property
    def reached_seq(self) -> int | None:
        """Number of the last packet all of whose whole windows were judged; None before the first.

        What is left of it, up to 31 ms, belongs to a window that the next packet completes.
        """
        for end, packet in reversed(self._kept):
            if end // WINDOW <= self._windows:
                return packet.seq
        return self._settled if self._before is None else self._before

    @property
    def fresh(self) -> bool:
        """Whether the next window is the first of a run, so that the detector must forget what it heard."""
        return self._windows == 0

    @property
    def at(self) -> int:
        """Where in its row the next window's context begins."""
        return self._at

    def place(self, slot: int, row: Samples) -> None:
        """Give the ear its staging row, int16 (ROW,); what the old one held has been copied."""
        self.slot = slot
        self._row = row

    def advance(self, heard: Heard) -> bool:
        """Stage packets until a window is complete; False when the inbox is empty before that."""
        while self._staged - self._windows * WINDOW < WINDOW:
            if self._closing:
                self._finish(heard)
            elif not self._inbox:
                return False
            else:
                packet = self._inbox.popleft()
                if packet is None:
                    self._finish(heard)
                elif isinstance(packet, Elsewhere):
                    self._taken += packet.size
                    self._finish(heard)
                    self._settled = packet.seq
                    heard.append((self, Settled(packet.seq)))
                elif self._breaks(packet):
                    self._inbox.appendleft(packet)
                    self._finish(heard)
                else:
                    self._stage(packet)
        return True

    def decide(self, probability: float, heard: Heard) -> None:
        """Take the next window's probability of speech."""
        verdict = self._rules.push(probability)
        self._windows += 1
        self._at += WINDOW
        match verdict:
            case None:
                if self._rules.state is State.QUIET:
                    self._trim()
            case Verdict.BEGAN:
                heard.append((self, SpeechBegan(self._time(self._rules.begin * WINDOW))))
            case Verdict.DROPPED:
                heard.append((self, SpeechDropped()))
                self._trim()
            case Verdict.ENDED:
                self._end_segment(self._pause(), heard)
            case Verdict.FULL:
                self._end_segment(self._quietest(), heard)
            case Verdict.LULL:
                self._trim()
                self._settle_before_pre_roll(heard)

    # --- the run ---

    def _breaks(self, packet: Packet) -> bool:
        if self._expected_ms is None:
            return False
        return packet.begins or abs(packet.start_ms - self._expected_ms) > _JUMP_MS

    def _stage(self, packet: Packet) -> None:
        size = len(packet.pcm)
        end = CONTEXT + self._at + self._staged - self._windows * WINDOW
        row = self._row
        if end + size > ROW:
            row[: end - self._at] = row[self._at : end]
            end -= self._at
            self._at = 0
        row[end : end + size] = packet.pcm
        self._staged += size
        self._taken += size
        self._kept.append((self._staged, packet))
        self._expected_ms = packet.start_ms + size / _PER_MS
        self._closing = packet.ends

    def _trim(self) -> None:
        """Let go of the packets that no pre-roll can reach any more."""
        kept = self._kept
        horizon = self._windows * WINDOW - self._pre_roll
        while kept and kept[0][0] <= horizon:
            self._before = kept.popleft()[1].seq

    def _time(self, position: int) -> int:
        """UTC of a position in the run, by the packet that holds it."""
        for end, packet in self._kept:
            if position < end:
                return packet.start_ms + (position - end + len(packet.pcm)) // _PER_MS
        raise ValueError(f"position {position} is beyond the {self._staged} samples of the run")

    def _pause(self) -> int:
        """Position of the boundary to end at: early in the hangover, never before the end of the speech."""
        speech = self._rules.voiced_end * WINDOW
        target = speech + min(_TAIL_MS, self._config.hangover_ms // 2) * _PER_MS
        return min((end for end, _ in self._kept if end >= speech), key=lambda end: abs(end - target))

    def _quietest(self) -> int:
        """Position of the boundary with the quietest 32 ms around it, in a full segment's last quarter."""
        sound = np.concatenate([packet.pcm for _, packet in self._kept]).astype(np.int64)
        first = self._staged - len(sound)
        energy = np.concatenate([[0], np.cumsum(sound * sound)])
        judged = self._windows * WINDOW
        earliest = judged - self._last_quarter

        def around(end: int) -> tuple[int, int]:
            low = max(end - WINDOW // 2 - first, 0)
            high = min(end + WINDOW // 2 - first, len(sound))
            return int(energy[high] - energy[low]), -end

        return min((end for end, _ in self._kept if earliest <= end <= judged), key=around)

    def _end_segment(self, boundary: int, heard: Heard) -> None:
        """Tell the segment, from its pre-roll to the boundary; the packets beyond it go to the next run."""
        inside = [packet for end, packet in self._kept if end <= boundary]
        beyond = [packet for end, packet in self._kept if end > boundary]
        first = boundary - sum(len(packet.pcm) for packet in inside)
        start = max(self._rules.begin * WINDOW - self._pre_roll, first)
        last = inside[-1]
        segment = Segment(
            pcm=np.concatenate([packet.pcm for packet in inside])[start - first :],
            start_ms=self._time(start),
            end_ms=last.start_ms + len(last.pcm) // _PER_MS,
            last_seq=last.seq,
        )
        heard.append((self, SegmentEnded(segment)))
        self._restart(last.seq, beyond)

    def _settle_before_pre_roll(self, heard: Heard) -> None:
        if self._before is None:  # nothing was let go: the packets are longer than the lull
            return
        heard.append((self, Settled(self._before)))
        self._restart(self._before, [packet for _, packet in self._kept])

    def _finish(self, heard: Heard) -> None:
        """End the run after its last packet: the gate closed, time jumped or the stream is over."""
        if self._kept and self._rules.state is State.SPEECH:
            self._end_segment(self._staged, heard)
            return
        last = self._kept[-1][1].seq if self._kept else self._before
        if last is not None:
            if self._rules.state is State.ONSET:
                heard.append((self, SpeechDropped()))
            heard.append((self, Settled(last)))
            self._settled = last
        self._restart(self._settled, [])

    def _restart(self, settled: int | None, again: list[Packet]) -> None:
        self._settled = settled
        self._inbox.extendleft(reversed(again))
        self._taken -= sum(len(packet.pcm) for packet in again)
        self._kept.clear()
        self._before = None
        self._staged = 0
        self._windows = 0
        self._at = 0
        self._row[:CONTEXT] = 0
        self._expected_ms = None
        self._closing = False
        self._rules.restart()
