"""Runs under MicroPython: what a frame costs the device application, as one JSON object on standard output.

A frame is 320 raw slots through `Recorder.feed`: high-pass and gain, level, gate, ADPCM, packet, ring.
`loops_us` is the same work's viper loops called one after the other and nothing else. Times are the best of
many rounds, since another program can only make them longer; `allocated` is bytes of heap for FRAMES frames
with the collector off.
"""

# mypy: ignore-errors
# (It runs under MicroPython, whose modules mypy does not know.)

import gc
import json
import struct
import time

from minerva.clock import DeviceClock
from minerva.codec import STEPS, encode, new_state
from minerva.dsp import condition, gain_factor, measure, new_filter
from minerva.port import ticks_add
from minerva.recorder import ALL, GATED, RAW_BYTES, Recorder
from minerva.ring import Ring, put
from minerva.wire import ADPCM_STATE, FRAME_SAMPLES, HEADER, IMA_ADPCM, payload_size

FRAMES = 600  # whose allocations are counted
ROUND = 60  # frames timed at once: a millisecond, which often passes without another program
ROUNDS = 200
GAIN_DB = 24
STOCK_RING = 49152


def noise(level, seed):
    """Slots of noise, `level` the largest of 24 bits."""
    raw = bytearray(RAW_BYTES)
    for i in range(FRAME_SAMPLES):
        seed = (seed * 1103 + 12345) % 1000003
        struct.pack_into("<i", raw, 4 * i, (seed * 2 // 1000 - 1000) * level // 1000 * 256)
    return raw


QUIET = noise(900, 1)
LOUD = noise(20000, 2)


class Device:
    """A recorder, warm: the gate has opened and closed and the ring has gone round."""

    def __init__(self, boot_ms, policy):
        self.ticks = 1000
        self.recorder = Recorder(Ring(STOCK_RING), DeviceClock(self.ticks, boot_ms), GAIN_DB)
        self.recorder.set_policy(policy)
        self.recorder.start(self.ticks, 0)
        self.feed = self.recorder.feed  # bound once: binding is what would allocate
        for raw, count in ((QUIET, 200), (LOUD, 60), (QUIET, 400), (LOUD, 200)):
            self.hear(raw, count)

    def hear(self, raw, count):
        """Feed `count` frames."""
        feed = self.feed
        ticks = self.ticks
        i = 0
        while i < count:
            ticks = ticks_add(ticks, 20)
            feed(raw, RAW_BYTES, ticks, True)
            i += 1
        self.ticks = ticks


class Loops:
    """A frame's viper loops and nothing else; each third frame a packet of three goes into the ring."""

    def __init__(self):
        self.pcm = bytearray(4 * FRAME_SAMPLES)
        self.filter = new_filter()
        self.factor = gain_factor(GAIN_DB)
        self.peak = bytearray(2)
        self.state = new_state()
        self.packet = bytearray(HEADER + payload_size(IMA_ADPCM, 3))
        self.block = bytearray(STOCK_RING)

    def run(self, count):
        """`count` frames."""
        pcm, packet, state, peak, block = self.pcm, self.packet, self.state, self.peak, self.block
        high_pass, factor = self.filter, self.factor
        size = len(packet)
        at = 0
        i = 0
        while i < count:
            condition(LOUD, FRAME_SAMPLES, pcm, 0, high_pass, factor)
            measure(pcm, peak)
            encode(pcm, FRAME_SAMPLES, packet, HEADER + ADPCM_STATE, state, STEPS)
            if i % 3 == 0:
                at = put(block, STOCK_RING, at, packet, size)
            i += 1


def timed(run):
    """Microseconds that run(ROUND) takes for each of its frames."""
    began = time.ticks_us()
    run(ROUND)
    return time.ticks_diff(time.ticks_us(), began) / ROUND


def times():
    """(a frame with the gate open, one with it closed, the loops alone) in microseconds, taken in turns."""
    opened = Device(0, ALL)
    closed = Device(0, GATED)
    closed.hear(QUIET, 400)
    loops = Loops()
    gc.collect()
    best = [1e9, 1e9, 1e9]
    for _ in range(ROUNDS):
        best[0] = min(best[0], timed(lambda n: opened.hear(LOUD, n)))
        best[1] = min(best[1], timed(lambda n: closed.hear(QUIET, n)))
        best[2] = min(best[2], timed(loops.run))
    return best


def allocated(boot_ms):
    """Bytes of heap that FRAMES frames take, loud and quiet ones."""
    device = Device(boot_ms, GATED)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    device.hear(LOUD, FRAMES // 2)
    device.hear(QUIET, FRAMES // 2)
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken


def main():
    """Measure and print."""
    past = (0, (1 << 30) - 5000, (1 << 30) + 5000, 3 << 30, (1 << 32) - 5000)
    open_us, closed_us, loops_us = times()
    print(
        json.dumps(
            {
                "open_us": open_us,
                "closed_us": closed_us,
                "loops_us": loops_us,
                "allocated": max([allocated(boot) for boot in past[:1]]),
                "allocated_past": max([allocated(boot) for boot in past[1:]]),
                "frames": FRAMES,
            }
        )
    )


main()
