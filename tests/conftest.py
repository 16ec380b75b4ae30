"""Fixtures for all tests."""

from pathlib import Path

import numpy as np
import pytest
from minerva_hub.audio import AudioFile

DEMO = Path(__file__).parents[1] / "tools" / "minerva_tools" / "data" / "demo"


@pytest.fixture(scope="session")
def kitchen() -> np.ndarray:
    """int16 (n,), 16 kHz: the bundled conversation as the kitchen's device sends it, some -36 dBFS RMS."""
    with AudioFile(DEMO / "kitchen.flac") as audio:
        pcm = np.concatenate(list(audio.blocks()))
    return np.clip(pcm.astype(np.int32) * 8, -32768, 32767).astype(np.int16)


@pytest.fixture(scope="session")
def speech(kitchen: np.ndarray) -> np.ndarray:
    """int16 (n,): the first eight seconds of it, at least one utterance."""
    return kitchen[: 8 * 16_000]
