"""From the microphone's raw slots to packets in the ring, numbered and dated. Pure.

    recorder.feed(raw, size, ticks, caught_up)      # whatever the microphone had; nothing is allocated

While the gate is closed the newest packets wait in a small pre-roll ring without a number; when it opens
they go first. Whether a packet is for the hub is decided when it is complete, so a gate opens and closes
between packets.
"""

import gc

from minerva.clock import DeviceClock, SampleClock
from minerva.codec import STEPS, encode, new_state
from minerva.dsp import SILENCE_CDB, amplitude_cdb, condition, copy, gain_factor, measure, new_filter
from minerva.gate import Gate
from minerva.port import const, micropython, ptr16
from minerva.ring import STOCK, Ring
from minerva.wire import (
    BEGINS,
    DEFAULT_FRAMES,
    ENDS,
    FRAME_SAMPLES,
    HEADER,
    IMA_ADPCM,
    KINDS,
    MAX_MEDIA,
    payload_size,
)

SLOT_BYTES = 4
RAW_BYTES = FRAME_SAMPLES * SLOT_BYTES  # the most that `feed` takes at once
# The gate needs 60 ms to be sure, a first syllable 200; the hub keeps 240 before speech.
_PRE_ROLL_MS = const(480)

# Everything is allocated once: on a heap without PSRAM there is no room for it later.
_STOCK_PACKET = HEADER + 3 * FRAME_SAMPLES * 2  # 3 frames of PCM, or 10 of ADPCM
# _PRE_ROLL_MS of PCM; a sixth of a stock ring is that of ADPCM, or half of it in PCM.
_MAX_PRE_ROLL = const(16384)

# The wire's numbers once more, for MicroPython's compiler to put in place: it does so within a module only,
# and what runs 50 times a second would look each of them up otherwise. A check holds them to the wire's.
_SAMPLES = const(320)
_FRAME_MS = const(20)
_HEADER = const(12)
_PCM_FRAME = const(640)
_ADPCM = const(16)  # header and state
_ADPCM_FRAME = const(160)
_PCM_S16LE = const(1)
_IMA_ADPCM = const(2)
PACKET_NUMBERS = (
    _SAMPLES,
    _FRAME_MS,
    _HEADER,
    _PCM_FRAME,
    _ADPCM,
    _ADPCM_FRAME,
    _PCM_S16LE,
    _IMA_ADPCM,
)

# What happens to audio.
NONE = const(0)  # measured, then forgotten: only levels and events
GATED = const(1)
ALL = const(2)


@micropython.viper
def _put_time(packet: ptr16, flags: int, high: int, low: int):
    """Flags and time into the header of a packet of stream 0."""
    packet[0] = flags << 8
    packet[1] = 0
    packet[4] = low
    packet[5] = high


@micropython.viper
def _put_seq(packet: ptr16, high: int, low: int):
    """The sequence number into the header."""
    packet[2] = low
    packet[3] = high


class Recorder:
    """One microphone's stream: packets to `ring`, dates by the device's `clock`, the board's `gain_db`."""

    def __init__(self, ring: Ring, clock: DeviceClock, gain_db: float):
        self.ring: Ring = ring
        self.clock = clock
        self.gate = Gate()
        self.policy = NONE
        self.kind = 0
        self.frames = 0
        self.discontinuities = 0
        self.withheld = 0  # packets that a mode kept from being sent
        self._first_time = False  # the packet that `take_next` gave last had never been sent
        self.next_high = 0  # the next packet's sequence number, in halves
        self.next_low = 0
        self.rms_cdb = SILENCE_CDB  # the loudest since take_level()
        self._peak = bytearray(2)
        self._factor = gain_factor(gain_db)
        self._filter = new_filter()
        # What was left of the last frame, and the most that one feed adds.
        self._pcm = bytearray(4 * FRAME_SAMPLES)
        self._fill = 0
        self._state = new_state()
        self._samples = SampleClock()
        self.max_packet = _STOCK_PACKET if ring.capacity <= STOCK else MAX_MEDIA
        self._packet = bytearray(self.max_packet)
        self._spare = bytearray(self.max_packet)
        self._pre_roll = Ring(self._pre_roll_bytes(ring.capacity))
        self._filled = 0  # frames in self._packet
        self._running = False  # the last packet went to the hub, and the gate was open
        self._jumped = True  # the next packet begins after a discontinuity
        self.configure(IMA_ADPCM, DEFAULT_FRAMES)

    def _pre_roll_bytes(self, capacity: int) -> int:
        return min(_MAX_PRE_ROLL, max(capacity // 6, 2 * self.max_packet + 8))

    def release(self) -> None:
        """Give the ring's memory back, and forget what is in it; `take_memory` must follow at once."""
        self.ring.release()
        self._pre_roll.release()
        gc.collect()

    def take_memory(self, capacity: int) -> None:
        """Have a ring of that size, after `release`. MemoryError: a smaller one must follow."""
        self.ring.take_memory(capacity)
        self._pre_roll.take_memory(self._pre_roll_bytes(capacity))

    def configure(self, kind: int, frames: int) -> None:
        """Media kind and frames of the packets from now on; fewer frames where memory holds no more."""
        while HEADER + payload_size(kind, frames) > self.max_packet:
            frames -= 1
        if (kind, frames) != (self.kind, self.frames):
            self._close_packet()
            self.kind = kind
            self.frames = frames

    def configure_named(self, kind: str, frames: int) -> None:
        """The same, by the kind's name in messages."""
        self.configure(KINDS[kind], frames)

    def set_policy(self, policy: int) -> bool:
        """What happens to audio from now on; True when what was recorded before is forgotten.

        Only from GATED to ALL, which sends more of the same, is anything of it kept; else it is counted as
        withheld where it was not yet sent.
        """
        if policy == self.policy:
            return False
        forgets = not (self.policy == GATED and policy == ALL)
        if forgets:
            self.forget()
        self.policy = policy
        return forgets

    def forget(self) -> None:
        """Forget all audio held, sent or not: a mode forbids it; what was not yet sent counts as withheld.

        What never was gives its numbers back, so that the hub sees no loss where its owner wanted a pause.
        """
        self._free_numbers(self.ring.fresh)
        self.withheld += self.ring.clear()
        self._forget_waiting()
        self._running = False

    def take_back(self) -> None:
        """After forget(): so is the packet that take_next() gave last, which did not go out."""
        self.withheld += 1
        if self._first_time:
            self._free_numbers(1)

    def _free_numbers(self, count: int) -> None:
        number = (self.next_high << 16 | self.next_low) - count & 0xFFFFFFFF
        self.next_high = number >> 16
        self.next_low = number & 0xFFFF

    def _forget_waiting(self) -> None:
        """The packets without a number, and the one being filled."""
        self._pre_roll.clear()
        self._filled = 0
        self._jumped = True

    def start(self, ticks: int, ahead_ms: int) -> None:
        """It is `ticks`, and the microphone's first sample is due `ahead_ms` later."""
        self._samples.start(self.clock, ticks, ahead_ms)

    def sync(self, ticks: int, ahead_ms: int) -> None:
        """Looked again before the first sample came: it is due `ahead_ms` after `ticks`."""
        self._samples.sync(self.clock, ticks, ahead_ms)

    def stop(self) -> None:
        """The microphone was stopped: what comes next is another recording."""
        self.gate.reset()  # so that the last packet ENDS
        self._close_packet()
        self._forget_waiting()
        self._running = False
        self._fill = 0
        self._filter = new_filter()
        self._state = new_state()  # else the next packet would begin with the last sample before it
        self.take_level()  # what it was before a mute is nobody's business after it

    def feed(self, raw: "bytearray", size: int, ticks: int, caught_up: bool) -> None:
        """raw[:size], whole slots, at most RAW_BYTES, read at `ticks`; `caught_up`: there was no more."""
        count = size >> 2
        condition(raw, count, self._pcm, self._fill, self._filter, self._factor)
        self._fill += count
        if caught_up and self._samples.check(self.clock, ticks, self._fill >> 4):
            self._jump()
        while self._fill >= _SAMPLES:
            self._frame()
            self._fill -= _SAMPLES
            if self._fill:
                copy(self._pcm, _PCM_FRAME, self._pcm, 0, 2 * self._fill)
            self._samples.next_frame(_FRAME_MS)

    def _jump(self) -> None:
        # The time of the packet's first frame is already written; what is in it was contiguous.
        self._close_packet()
        if not self._jumped:
            self.discontinuities += 1
        self._jumped = True

    def _frame(self) -> None:
        pcm = self._pcm
        level = measure(pcm, self._peak)
        if level > self.rms_cdb:
            self.rms_cdb = level
        self.gate.update(level)
        if self.policy == NONE:
            return
        packet = self._packet
        if self._filled == 0:
            _put_time(packet, BEGINS if self._jumped else 0, self._samples.high, self._samples.low)
            self._jumped = False
            if self.kind == _IMA_ADPCM:
                copy(self._state, 0, packet, _HEADER, 4)
        if self.kind == _IMA_ADPCM:
            encode(
                pcm,
                _SAMPLES,
                packet,
                _ADPCM + self._filled * _ADPCM_FRAME,
                self._state,
                STEPS,
            )
        else:
            copy(pcm, 0, packet, _HEADER + self._filled * _PCM_FRAME, _PCM_FRAME)
        self._filled += 1
        if self._filled == self.frames:
            self._close_packet()

    def _close_packet(self) -> None:
        """What is in the packet is complete: to the hub, or to wait for the gate."""
        if self._filled == 0:
            return
        packet = self._packet
        packet[0] = self.kind
        packet[3] = self._filled
        if self.kind == _PCM_S16LE:
            size = _HEADER + self._filled * _PCM_FRAME
        else:
            size = _ADPCM + self._filled * _ADPCM_FRAME
        self._filled = 0
        if self.policy == ALL or self.gate.open:
            if not self._running:
                self._open(packet)
            self._running = True
            self._commit(packet, size)
        elif self._running:
            packet[1] |= ENDS
            self._running = False
            self._commit(packet, size)
        else:
            while self._pre_roll.count * self.frames * _FRAME_MS >= _PRE_ROLL_MS:
                self._pre_roll.drop()
            self._pre_roll.push(packet, size)

    def _open(self, packet: "bytearray") -> None:
        """The gate opened: what waited goes first, and the first of all BEGINS."""
        spare = self._spare
        first = True
        while True:
            size = self._pre_roll.take(spare, 0)
            if size == 0:
                break
            if first:
                spare[1] |= BEGINS
                first = False
            self._commit(spare, size)
        if first:
            packet[1] |= BEGINS

    def _commit(self, packet: "bytearray", size: int) -> None:
        _put_seq(packet, self.next_high, self.next_low)
        self.ring.push(packet, size)
        low = self.next_low + 1
        if low > 0xFFFF:
            low = 0
            self.next_high = self.next_high + 1 & 0xFFFF
        self.next_low = low

    def take_next(self, target: "bytearray", at: int) -> int:
        """Copy the oldest unsent packet to target[at:]; it counts as sent. Its size, 0 when there is none."""
        ring = self.ring
        size = ring.peek(target, at)
        if size:
            self._first_time = ring.fresh == ring.unsent
            ring.sent()
        return size

    def resume_after(self, seq: "int | None") -> int:
        """The hub has settled all up to `seq` (None: nothing): send again what the ring has after it.

        Returns how many packets that are. A `seq` that was never sent is as None.
        """
        if seq is not None:
            newest = (self.next_high << 16 | self.next_low) - 1
            after = newest - seq & 0xFFFFFFFF
            if self.ring.fresh <= after < 0x80000000:
                return self.ring.rewind(after)
        return self.ring.rewind(self.ring.count)

    def take_level(self) -> "tuple[float, float]":
        """(RMS, peak) in dBFS, the loudest since the last call."""
        peak = self._peak[0] | self._peak[1] << 8
        level = self.rms_cdb / 100, amplitude_cdb(peak) / 100
        self.rms_cdb = SILENCE_CDB
        self._peak[0] = self._peak[1] = 0
        return level
