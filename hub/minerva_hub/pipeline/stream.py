"""One device's stream on the hub's clock: which packet is next, when it was heard, what was lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from minerva.wire import (
    HOP_MS,
    IMA_ADPCM,
    KIND_NAMES,
    LOGMEL_U8,
    SAMPLE_RATE,
    U32,
    duration_ms,
    serial_diff,
)

from minerva_hub.audio import Features, decode_adpcm, decode_logmel, decode_pcm
from minerva_hub.errors import PeerError
from minerva_hub.events import Gap, Received, ResumePoint
from minerva_hub.pipeline.features import FeatureBlock, FeatureLog
from minerva_hub.pipeline.sounds import SoundBox
from minerva_hub.segment import Ear
from minerva_hub.segment.heard import Samples

BACKWARDS_MS = 100  # a device's clock and its sample counter may disagree by a few frames
OVERLAP_SHARE = 0.05  # of what goes forward may have come twice: a crystal is a thousandth of that too fast
DRIFT_MS = 50  # a clock correction smaller than this is not worth a seam in the timeline
DRIFT_MAX_MS = 1000  # one larger than this is made even while the gate stays open
REPORTS_MS = 60_000  # reports older than this to twice this say nothing about the clock as it is
MIN_REPORTS = 3
MAX_JUMP_MS = 86_400_000  # a device's clock a day off what it was is wrong, not slow
MAX_AGE_MS = 30 * MAX_JUMP_MS  # what a ring may hold after a long outage; anything older is a mistake


class Clock:
    """Maps the device time of one boot to UTC.

    The offset is fixed when the boot is first seen and kept with the resume point. Crystals drift by
    seconds a day, so later reports move it, but only where the stream pauses anyway.
    """

    def __init__(self, offset_ms: int, time_ms: int) -> None:
        self.offset_ms = offset_ms
        self._last_ms = time_ms
        self._best: int | None = None  # of the reports since _since_ms
        self._before: int | None = None  # of those in the span before
        self._since_ms = 0
        self._count = 0

    def report(self, time_ms: int, now_ms: int) -> None:
        """The device said at `now_ms` UTC that its clock is at `time_ms`; the quickest report counts.

        PeerError bad_time: a day or more from what it said before.
        """
        offset = now_ms - time_ms
        if abs(offset - self.offset_ms) > MAX_JUMP_MS:
            raise PeerError(
                "bad_time",
                f"device time {time_ms} ms is {abs(offset - self.offset_ms)} ms from the clock so far;"
                f" {MAX_JUMP_MS} ms are allowed within a connection",
            )
        if abs(now_ms - self._since_ms) > REPORTS_MS:
            self._before, self._best, self._since_ms, self._count = self._best, None, now_ms, 0
        self._count += 1
        self._best = offset if self._best is None else min(self._best, offset)

    def restart(self, time_ms: int, now_ms: int) -> None:
        """A new connection's hello: forget earlier reports.

        A hello can come late but never early: an offset that grew is looked into, one that shrank means that
        the hub's clock was set back, and is taken at once, as is one a day off.
        """
        self._before, self._best, self._since_ms, self._count = None, None, now_ms, 0
        offset = now_ms - time_ms
        if not -DRIFT_MAX_MS < offset - self.offset_ms < MAX_JUMP_MS:
            self.offset_ms, self._last_ms = offset, time_ms

    def unwrap(self, time_u32: int) -> int:
        """A packet's u32 time -> milliseconds since boot, as near as possible to the last one seen."""
        self._last_ms += serial_diff(time_u32, self._last_ms & U32)
        return self._last_ms

    def correct(self, *, pause: bool) -> None:
        """Take over what the reports say when it differs enough."""
        if self._best is None or self._count < MIN_REPORTS:
            return  # one report may have come late
        if self._before is None:
            if not pause:
                return
            best = self._best
        else:
            best = min(self._best, self._before)
        if abs(best - self.offset_ms) > (DRIFT_MS if pause else DRIFT_MAX_MS):
            self.offset_ms = best


class Stream:
    """The sequence of one (device, boot, stream), through all its connections.

    `settled_seq` is the last packet that need not come again. The caller records gaps and calls nothing here
    from another thread.
    """

    def __init__(
        self,
        device: str,
        room: str,
        boot_id: str,
        ear: Ear,
        clock: Clock,
        features: FeatureLog,
        sounds: SoundBox | None = None,
        *,
        lead_ms: int,
    ) -> None:
        self.device = device
        self.room = room
        self.boot_id = boot_id
        self.ear = ear
        self.clock = clock
        self.features = features
        self.sounds = sounds
        self.settled_seq: int | None = None
        self.settled_end_ms = 0
        self.dirty = False  # settled_* is newer than the database
        self.accepted_seq: int | None = None
        self.duplicates = 0
        self.connected = True
        self.guest = False  # a program's sound (guests.py): nothing of it is stored, or told to others
        self.removed = False  # its device is not registered any more: nothing of it is written down
        self.offline_since_s = 0.0
        self.max_pending: int | None = None  # samples, while the devices together have too much waiting
        self._lead_ms = lead_ms
        self._end_ms: int | None = None  # device time at which the last accepted packet ended
        self._overlap_ms = 0.0  # of what came over times that were already reached, less what is usual
        self._newest_seq: int | None = None  # of this connection
        self._newest_kind: int | None = None  # of the packet before, unless that was dropped
        self._counts = {kind: [0, 0] for kind in KIND_NAMES}  # packets and frames that were taken
        self._packets: dict[int, int] = {}  # seq -> end, UTC, of packets that are accepted and not settled

    @property
    def crowded(self) -> bool:
        """Whether the device should wait with what it sends again, which it still has."""
        share = self.max_pending
        return self.ear.crowded or (share is not None and 2 * self.ear.pending > share)

    @property
    def received(self) -> dict[str, Received]:
        """What was taken of this boot since the hub knows it, by media kind."""
        return {
            KIND_NAMES[kind]: Received(packets=packets, frames=frames)
            for kind, (packets, frames) in self._counts.items()
            if packets
        }

    def restore(self, point: ResumePoint) -> None:
        """Go on where the database says that an earlier run of the hub stopped."""
        self.settled_seq = self.accepted_seq = point.seq
        self.settled_end_ms = point.end_ms
        self._end_ms = point.end_ms - point.clock_offset_ms

    def reconnected(self, time_ms: int, now_ms: int) -> None:
        """The same boot connected again and will send from the resume point."""
        self.connected = True
        self._newest_seq = None
        self.clock.restart(time_ms, now_ms)

    def resume_point(self) -> ResumePoint | None:
        """What the database should keep, None while nothing is settled."""
        if self.settled_seq is None or self.guest:
            return None
        return self._point(self.settled_seq, self.settled_end_ms)

    def point_at(self, seq: int) -> ResumePoint:
        """The resume point that settling `seq` will make; goes into the same transaction as the words."""
        return self._point(seq, self._packets.get(seq, self.settled_end_ms))

    def _point(self, seq: int, end_ms: int) -> ResumePoint:
        return ResumePoint(
            device=self.device,
            boot_id=self.boot_id,
            stream=0,
            seq=seq,
            end_ms=end_ms,
            clock_offset_ms=self.clock.offset_ms,
        )

    def settle(self, seq: int) -> None:
        """Everything up to and including `seq` was committed or judged not speech."""
        if self.settled_seq is not None and serial_diff(seq, self.settled_seq) <= 0:
            return
        for known in [known for known in self._packets if serial_diff(known, seq) <= 0]:
            end_ms = self._packets.pop(known)
            if known == seq:
                self.settled_end_ms = end_ms
        self.settled_seq = seq
        self.dirty = True

    def accept(
        self, kind: int, flags: int, frames: int, seq: int, time_u32: int, payload: memoryview, now_ms: int
    ) -> tuple[bool, list[Gap]]:
        """Take a packet: (whether it is in the stream now, what was lost before it and with it).

        PeerError: bad_sequence, bad_time, too_fast, bad_media.
        """
        self._check_order(seq)
        step = 1 if self.accepted_seq is None else serial_diff(seq, self.accepted_seq)
        if step <= 0:
            self.duplicates += 1
            return True, []
        begins = bool(flags & 1) or step > 1
        self.clock.correct(pause=begins)
        start = self.clock.unwrap(time_u32)
        end = start + duration_ms(kind, frames)
        self._check_time(start, end, now_ms)
        offset = self.clock.offset_ms
        self._check_overlap(start, end)
        take = self._taker(kind, payload)
        gaps = self._gap_before(seq, step, start + offset)
        fresh = self._end_ms is None
        self._end_ms = end if self._end_ms is None else max(self._end_ms, end)
        self.accepted_seq = seq
        room = self.max_pending is None or self.ear.pending < self.max_pending
        if not (room and take(start + offset, seq, begins=begins or fresh, ends=bool(flags & 2))):
            self._newest_kind = None
            gaps.append(self._gap(start + offset, end + offset, 1, "hub_overload"))
            return False, gaps
        self._packets[seq] = end + offset
        self._newest_kind = kind
        counts = self._counts[kind]
        counts[0] += 1
        counts[1] += frames
        return True, gaps

    def _taker(self, kind: int, payload: memoryview) -> Callable[..., bool]:
        """Decode a payload -> what takes it in, given `Ear.feed`'s arguments but the first."""
        if kind == LOGMEL_U8:
            return partial(self._keep, decode_logmel(payload))
        return partial(self._hear, decode_adpcm(payload) if kind == IMA_ADPCM else decode_pcm(payload))

    def _hear(self, pcm: Samples, start_ms: int, seq: int, *, begins: bool, ends: bool) -> bool:
        """Take audio in: for speech, and for sounds."""
        if not self.ear.feed(pcm, start_ms, seq, begins=begins, ends=ends):
            return False
        if self.sounds is not None:
            self.sounds.put(pcm, start_ms, begins)
        return True

    def no_more_sounds(self, *, forget: bool = False) -> None:
        """The stream ends; `forget`: its device was removed, and nothing of it is told any more."""
        if self.sounds is not None:
            self.sounds.closed = True
            if forget:
                self.sounds.forget()

    def _keep(self, rows: Features, start_ms: int, seq: int, *, begins: bool, ends: bool) -> bool:
        """Take features in: behind the audio before them, so that they are not settled before it."""
        if not self.ear.skip(len(rows) * HOP_MS * SAMPLE_RATE // 1000, seq):
            return False
        begins = begins or self._newest_kind != LOGMEL_U8
        self.features.put(FeatureBlock(self.device, self.room, start_ms, seq, rows, begins, ends))
        if self.sounds is not None:
            self.sounds.put(rows, start_ms, begins)
        return True

    def _check_order(self, seq: int) -> None:
        newest = self._newest_seq
        if newest is not None and serial_diff(seq, newest) <= 0:
            raise PeerError(
                "bad_sequence",
                f"{self.device}: sequence number {seq} after {newest}; within a connection they rise",
            )
        self._newest_seq = seq

    def _check_time(self, start: int, end: int, now_ms: int) -> None:
        if start < 0 or (self._end_ms is not None and start < self._end_ms - BACKWARDS_MS):
            raise PeerError(
                "bad_time",
                f"{self.device}: packet at {start} ms, but {self._end_ms or 0} ms was reached;"
                f" at most {BACKWARDS_MS} ms back are allowed",
            )
        ahead = end + self.clock.offset_ms - now_ms
        if ahead < -MAX_AGE_MS:
            raise PeerError(
                "bad_time", f"{self.device}: packet of {-ahead} ms ago; {MAX_AGE_MS} ms are allowed"
            )
        if ahead > self._lead_ms:
            raise PeerError(
                "too_fast",
                f"{self.device}: audio runs {ahead} ms ahead of real time; {self._lead_ms} ms are allowed",
            )

    def _check_overlap(self, start: int, end: int) -> None:
        """Who says the same time again and again could be as fast as it likes, and never run ahead."""
        if self._end_ms is None:
            return
        again, onward = max(0, self._end_ms - start), max(0, end - self._end_ms)
        overlap_ms = max(0.0, self._overlap_ms + again - onward * OVERLAP_SHARE)
        if overlap_ms > self._lead_ms:
            raise PeerError(
                "too_fast",
                f"{self.device}: packets came {overlap_ms:.0f} ms over times already reached;"
                f" {self._lead_ms} ms are allowed",
            )
        self._overlap_ms = overlap_ms

    def _gap(
        self, start_ms: int, end_ms: int, packets: int, reason: Literal["overwritten", "hub_overload"]
    ) -> Gap:
        return Gap(device=self.device, start_ms=start_ms, end_ms=end_ms, packets=packets, reason=reason)

    def _gap_before(self, seq: int, step: int, start_ms: int) -> list[Gap]:
        if self.accepted_seq is None:
            missing = seq  # numbers count from 0 at boot
            since_ms = self.clock.offset_ms
        else:
            missing = step - 1
            since_ms = (self._end_ms or 0) + self.clock.offset_ms
        if missing == 0:
            return []
        return [self._gap(min(since_ms, start_ms), start_ms, missing, "overwritten")]
