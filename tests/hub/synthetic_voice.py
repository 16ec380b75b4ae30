"""A seeded signal that speech detectors take for a voice."""

import numpy as np


def voice(seed: int, windows: int) -> np.ndarray:
    """float32 (windows*512,): syllables of a buzzing source through two moving formants, pauses, noise."""
    rng = np.random.default_rng(seed)
    n = windows * 512
    t = np.arange(n) / 16000
    pitch = 110 + 60 * rng.random() + 10 * np.sin(2 * np.pi * 2 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    formants = np.array([500 + 200 * np.sin(2 * np.pi * 3 * t), 1500 + 400 * np.sin(2 * np.pi * 2.3 * t)])
    sound = np.zeros(n)
    for k in range(1, 30):
        gain = sum(1 / (1 + ((k * pitch - f) / 150) ** 2) for f in formants)
        sound += gain * np.sin(k * phase)
    syllables = np.clip(np.sin(2 * np.pi * 4 * t + seed), 0, 1) * (np.sin(2 * np.pi * 0.4 * t) > -0.3)
    return (0.05 * sound * syllables + 0.002 * rng.standard_normal(n)).astype(np.float32)
