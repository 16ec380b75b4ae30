"""Raw I2S slots for the checks: 24 bits left-justified in 32, deterministic on every interpreter."""

import struct


class Noise:
    """White noise from a small generator that fits 30 bits, so that all interpreters hear the same."""

    def __init__(self, seed=1):
        self.state = seed

    def next(self):
        """-1 <= x < 1."""
        self.state = (self.state * 1103 + 12345) % 1000003
        return self.state / 500001.5 - 1


def slots(values):
    """Values of -1..1 -> bytes of 32-bit slots."""
    out = bytearray(4 * len(values))
    for i, v in enumerate(values):
        struct.pack_into("<i", out, 4 * i, max(-8388608, min(8388607, int(v * 8388607))) * 256)
    return out


def noise_frame(level_db, noise):
    """320 samples of noise with an RMS of `level_db` re full scale of the slot."""
    scale = 10 ** (level_db / 20) * 3**0.5
    return slots([noise.next() * scale for _ in range(320)])
