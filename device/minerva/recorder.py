"""From the microphone's raw slots to packets in the ring, numbered and dated. Pure.

    recorder.feed(raw, size, ticks, caught_up)      # whatever the microphone had; nothing is allocated

While the gate is closed the newest packets wait in a small pre-roll ring without a number; when it opens
they go first. Whether a packet is for the hub is decided when it is complete, so a gate opens and closes
between packets.
"""

from minerva.clock import DeviceClock, SampleClock
from minerva.codec import STEPS, encode, new_state
from minerva.dsp import SILENCE_CDB, amplitude_cdb, condition, copy, gain_factor, measure, new_filter
from minerva.gate import Gate
from minerva.ring import STOCK, Ring
from minerva.wire import (
    ADPCM_STATE,
    BEGINS,
    DEFAULT_FRAMES,
    ENDS,
    FRAME_MS,
    FRAME_SAMPLES,
    HEADER,
    IMA_ADPCM,
    KINDS,
    MAX_MEDIA,
    PCM_S16LE,
    payload_size,
    put_u32,
)

SLOT_BYTES = 4
RAW_BYTES = FRAME_SAMPLES * SLOT_BYTES  # the most that `feed` takes at once
PRE_ROLL_MS = 480  # the gate needs 60 ms to be sure, a first syllable 200; the hub keeps 240 before speech

# Everything is allocated once: on a heap without PSRAM there is no room for it later.
STOCK_PACKET = HEADER + 3 * FRAME_SAMPLES * 2  # 3 frames of PCM, or 10 of ADPCM
MAX_PRE_ROLL = 16384  # PRE_ROLL_MS of PCM; a sixth of a stock ring is that of ADPCM, or half of it in PCM

# What happens to audio.
NONE = 0  # measured, then forgotten: only levels and events
GATED = 1
ALL = 2


class Recorder:
    """One microphone's stream: packets to `ring`, dates by the device's `clock`, the board's `gain_db`."""

    def __init__(self, ring: Ring, clock: DeviceClock, gain_db: float):
        self.ring = ring
        self.clock = clock
        self.gate = Gate()
        self.policy = NONE
        self.kind = 0
        self.frames = 0
        self.discontinuities = 0
        self.next_high = 0  # the next packet's sequence number, in halves
        self.next_low = 0
        self.rms_cdb = SILENCE_CDB  # the loudest since take_level()
        self._peak = 0
        self._factor = gain_factor(gain_db)
        self._filter = new_filter()
        # What was left of the last frame, and the most that one feed adds.
        self._pcm = bytearray(4 * FRAME_SAMPLES)
        self._fill = 0
        self._peak_now = bytearray(2)
        self._state = new_state()
        self._samples = SampleClock()
        self.max_packet = STOCK_PACKET if ring.capacity <= STOCK else MAX_MEDIA
        self._packet = bytearray(self.max_packet)
        self._spare = bytearray(self.max_packet)
        self._pre_roll = Ring(min(MAX_PRE_ROLL, max(ring.capacity // 6, 2 * self.max_packet + 8)))
        self._filled = 0  # frames in self._packet
        self._running = False  # the last packet went to the hub, and the gate was open
        self._jumped = True  # the next packet begins after a discontinuity
        self.configure(IMA_ADPCM, DEFAULT_FRAMES)

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

    def set_policy(self, policy: int) -> None:
        """What happens to audio from now on. With NONE what was not yet sent is forgotten, and counted."""
        if policy == NONE:
            self.forget()
        self.policy = policy

    def forget(self) -> None:
        """Forget all audio held, sent or not; what the hub will miss counts as overwritten."""
        self.ring.overwritten += self.ring.clear()
        self._forget_waiting()
        self._running = False

    def _forget_waiting(self) -> None:
        """The packets without a number, and the one being filled."""
        self._pre_roll.clear()
        self._filled = 0
        self._jumped = True

    def start(self, ticks: int, ahead_ms: int) -> None:
        """It is `ticks`, and the microphone's first sample is due `ahead_ms` later."""
        self._samples.start(self.clock, ticks, ahead_ms)

    def stop(self) -> None:
        """The microphone was stopped: what comes next is another recording."""
        self.gate.reset()  # so that the last packet ENDS
        self._close_packet()
        self._forget_waiting()
        self._running = False
        self._fill = 0
        self._filter = new_filter()

    def feed(self, raw: "bytearray", size: int, ticks: int, caught_up: bool) -> None:
        """raw[:size], whole slots, at most RAW_BYTES, read at `ticks`; `caught_up`: there was no more."""
        count = size // SLOT_BYTES
        condition(raw, count, self._pcm, self._fill, self._filter, self._factor)
        self._fill += count
        if caught_up and self._samples.check(self.clock, ticks, self._fill >> 4):
            self._jump()
        while self._fill >= FRAME_SAMPLES:
            self._frame()
            self._fill -= FRAME_SAMPLES
            copy(self._pcm, 2 * FRAME_SAMPLES, self._pcm, 0, 2 * self._fill)
            self._samples.next_frame(FRAME_MS)

    def _jump(self) -> None:
        # The time of the packet's first frame is already written; what is in it was contiguous.
        self._close_packet()
        if not self._jumped:
            self.discontinuities += 1
        self._jumped = True

    def _frame(self) -> None:
        pcm = self._pcm
        level = measure(pcm, self._peak_now)
        peak = self._peak_now[0] | self._peak_now[1] << 8
        if level > self.rms_cdb:
            self.rms_cdb = level
        if peak > self._peak:
            self._peak = peak
        self.gate.update(level)
        if self.policy == NONE:
            return
        packet = self._packet
        if self._filled == 0:
            put_u32(packet, 8, self._samples.high, self._samples.low)
            packet[1] = BEGINS if self._jumped else 0
            self._jumped = False
            if self.kind == IMA_ADPCM:
                copy(self._state, 0, packet, HEADER, ADPCM_STATE)
        if self.kind == IMA_ADPCM:
            encode(
                pcm,
                FRAME_SAMPLES,
                packet,
                HEADER + ADPCM_STATE + self._filled * (FRAME_SAMPLES // 2),
                self._state,
                STEPS,
            )
        else:
            copy(pcm, 0, packet, HEADER + self._filled * FRAME_SAMPLES * 2, FRAME_SAMPLES * 2)
        self._filled += 1
        if self._filled == self.frames:
            self._close_packet()

    def _close_packet(self) -> None:
        """What is in the packet is complete: to the hub, or to wait for the gate."""
        if self._filled == 0:
            return
        packet = self._packet
        packet[0] = self.kind
        packet[2] = 0
        packet[3] = self._filled
        size = HEADER + (
            self._filled * FRAME_SAMPLES * 2
            if self.kind == PCM_S16LE
            else ADPCM_STATE + self._filled * (FRAME_SAMPLES // 2)
        )
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
            while self._pre_roll.count * self.frames * FRAME_MS >= PRE_ROLL_MS:
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
        put_u32(packet, 4, self.next_high, self.next_low)
        self.ring.push(packet, size)
        low = self.next_low + 1
        if low > 0xFFFF:
            low = 0
            self.next_high = self.next_high + 1 & 0xFFFF
        self.next_low = low

    def resume_after(self, seq: "int | None") -> int:
        """The hub has settled all up to `seq` (None: nothing): send again what the ring has after it.

        Returns how many packets that are; a `seq` that was never used leaves nothing to send again.
        """
        if seq is None:
            return self.ring.rewind(self.ring.count)
        newest = (self.next_high << 16 | self.next_low) - 1
        after = newest - seq & 0xFFFFFFFF
        return self.ring.rewind(0 if after >= 0x80000000 else after)

    def take_level(self) -> "tuple[float, float]":
        """(RMS, peak) in dBFS, the loudest since the last call."""
        level = self.rms_cdb / 100, amplitude_cdb(self._peak) / 100
        self.rms_cdb = SILENCE_CDB
        self._peak = 0
        return level
