"""The module under test and the material it is judged on."""

from types import ModuleType

import numpy as np
import pytest

RATE = 16_000


@pytest.fixture(scope="session")
def native() -> ModuleType:
    """minerva_native, or the test skips and says how to build it."""
    return pytest.importorskip("minerva_native", reason="minerva_native is not built: make native")


@pytest.fixture(scope="session")
def material(speech: np.ndarray) -> dict[str, np.ndarray]:
    """int16 (n,), 16 kHz, by name: speech, noise, tones, silence, full scale and the least there is."""
    rng = np.random.default_rng(1)
    at = np.arange(RATE) / RATE
    noise = rng.standard_normal(RATE)
    chirp = np.sin(2 * np.pi * (50 * at + 3900 * at**2))
    sounds = {
        "noise": 3000 * noise,
        "quiet_noise": 3 * noise,
        "full_scale_noise": 20_000 * noise,
        "square": 32767 * np.sign(np.sin(2 * np.pi * 220 * at)),
        "chirp": 32767 * chirp,
        "click": np.where(np.arange(RATE) % 4000 == 1234, 32767, 0),
        "one_lsb": np.where(np.arange(RATE) % 160 == 7, 1, 0),
        "silence": np.zeros(RATE),
        **{f"tone_{hz}": 32767 * np.sin(2 * np.pi * hz * at) for hz in (125, 440, 1000, 2517.3, 7400)},
        **{f"quiet_tone_{hz}": 20 * np.sin(2 * np.pi * hz * at) for hz in (440, 3000)},
    }
    pcm = {name: np.clip(np.round(x), -32768, 32767).astype(np.int16) for name, x in sounds.items()}
    return {"speech": speech, "faint_speech": (speech // 64).astype(np.int16), **pcm}


@pytest.fixture(scope="session")
def recordings(material: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 (n,), -1 to 1, 16 kHz, by name: the material, and numbers that int16 does not have."""
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(RATE).astype(np.float32)
    odd = {
        "denormal": noise * np.float32(1e-39),
        "tiny": noise * np.float32(1e-7),
        "beyond_full_scale": noise * np.float32(30),
        "one_denormal_in_noise": np.where(np.arange(RATE) == 5000, np.float32(1e-45), noise),
    }
    return {name: pcm.astype(np.float32) / 32768 for name, pcm in material.items()} | odd
