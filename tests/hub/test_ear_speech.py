"""Segments of speech as flite says it, with pauses and noise: no word may be cut off."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.audio import read_audio
from minerva_hub.config import SegmentConfig
from minerva_hub.segment import EarBank, SegmentEnded

SENTENCES = [
    ("rms", "Good morning, did you sleep well?"),
    ("awb", "Yes, thank you."),
    ("slt", "The train leaves at a quarter past eight, so we should hurry."),
    ("rms", "No."),
    ("kal16", "Fish and chips on Thursday."),
    ("awb", "What?"),
    ("slt", "Six sixes."),
    ("rms", "I will put the kettle on."),
]
SPEECH_DB = -36
RATE = 16000

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """The sentences, float64, cut to where their level is within 40 dB of their loudest."""
    folder: Path = tmp_path_factory.mktemp("flite")
    out = []
    for i, (voice, text) in enumerate(SENTENCES):
        path = folder / f"{i}.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
        pcm = read_audio(path).astype(np.float64)
        level = np.convolve(pcm**2, np.ones(160) / 160, "same")
        heard = np.flatnonzero(level > level.max() * 1e-4)
        out.append(pcm[heard[0] : heard[-1] + 1])
    return out


@pytest.mark.parametrize("snr_db", [20, 25, 30])
def test_segments_cover_every_word(spoken: list[np.ndarray], snr_db: int):
    rng = np.random.default_rng(snr_db)
    parts, turns, at = [np.zeros(RATE)], [], RATE
    for speech in spoken:
        turns.append((at, at + len(speech)))
        pause = np.zeros(int(RATE * rng.uniform(0.3, 1.0)))
        parts += [speech / np.sqrt(np.mean(speech**2)) * 32768 * 10 ** (SPEECH_DB / 20), pause]
        at += len(speech) + len(pause)
    sound = np.concatenate([*parts, np.zeros(4 * RATE)])
    sound += rng.standard_normal(len(sound)) * 32768 * 10 ** ((SPEECH_DB - snr_db) / 20)
    pcm = np.round(sound).astype(np.int16)

    bank = EarBank(SegmentConfig())
    ear = bank.open()
    heard = []
    for seq in range(len(pcm) // 960):
        assert ear.feed(pcm[960 * seq : 960 * seq + 960], 60 * seq, seq)
        heard += bank.step()
    ear.flush()
    heard += bank.step()

    covered = np.zeros(len(pcm), bool)
    for segment in (event.segment for _, event in heard if isinstance(event, SegmentEnded)):
        covered[segment.start_ms * 16 : segment.end_ms * 16] = True
    for (voice, text), (begin, end) in zip(SENTENCES, turns, strict=True):
        missing_ms = np.count_nonzero(~covered[begin:end]) / 16
        assert missing_ms <= 30, f"{missing_ms:.0f} ms of {text!r} by {voice}"
    outside_s = (np.count_nonzero(covered) - sum(end - begin for begin, end in turns)) / RATE
    assert outside_s < 0.8 * len(turns), "segments are about as long as the speech and its pauses"
    assert not covered[-2 * RATE :].any()
