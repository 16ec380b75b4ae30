"""A process of its own for the `mel` bench, with one thread on one core: how long each takes for a recording.

`python -m minerva_tools.bench._mel ROUNDS < SAMPLES` reads float32 samples, 16 kHz, and prints a `Timed`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Extract = Callable[[], object]

RATE: Final = 16_000
FRAME: Final = 400
HOP: Final = 160
IN_A_ROW: Final = 3


class Timed(msgspec.Struct, frozen=True):
    """The least seconds for a recording by name, and why the others were left out."""

    least_s: dict[str, float]
    skipped: dict[str, str]


def main() -> None:
    """Measure on standard input's samples."""
    rounds = int(sys.argv[1])
    sound = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    sys.stdout.buffer.write(msgspec.json.encode(measure(sound, rounds)))


def measure(sound: Sound, rounds: int, only: Collection[str] = ()) -> Timed:
    """Each (of `only`, where there are any) in turn, `rounds` times, thrice at a time: the same for all."""
    extractors: dict[str, Extract] = {}
    skipped: dict[str, str] = {}
    for name, (package, make) in EXTRACTORS.items():
        if only and name not in only:
            continue
        if find_spec(package) is None:
            skipped[name] = f"{package} is not installed"
        else:
            extractors[name] = make(import_module(package), sound)
    least = dict.fromkeys(extractors, float("inf"))
    for _ in range(rounds):
        for name, extract in extractors.items():
            for _ in range(IN_A_ROW):
                began = time.perf_counter()
                extract()
                least[name] = min(least[name], time.perf_counter() - began)
    return Timed(least, skipped)


def _native(bands: int) -> Callable[[Any, Sound], Extract]:
    return lambda native, sound: lambda: native.whisper_logmel(sound, bands)


def _native_mel64(native: Any, sound: Sound) -> Extract:
    pcm = (sound * 32767).astype(np.int16)
    return lambda: native.mel64_u8(pcm)


def _scipy(fft: Any, sound: Sound) -> Extract:
    """Whisper's features as numpy and scipy make them fastest: float32, and one product of matrices."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
    extractor = import_module("faster_whisper.feature_extractor").FeatureExtractor
    bands = extractor.get_mel_filters(RATE, FRAME, n_mels=80).astype(np.float32)

    def extract() -> object:
        padded = np.pad(sound, FRAME // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][: len(sound) // HOP]
        spectra = fft.rfft(frames * window, workers=1)
        powers = spectra.real**2 + spectra.imag**2
        return np.log10(np.maximum(bands @ powers.T, 1e-10))

    return extract


def _faster_whisper(module: Any, sound: Sound) -> Extract:
    extractor = module.FeatureExtractor()
    return lambda: extractor(sound, padding=0)


def _kaldi(kaldi: Any, sound: Sound) -> Extract:
    """Kaldi's own 80 bands, by an FFT of 512: its Whisper features go by a plain DFT, five times as long."""
    options = kaldi.FbankOptions()
    options.mel_opts.num_bins = 80
    options.frame_opts.dither = 0.0

    def extract() -> object:
        features = kaldi.OnlineFbank(options)
        features.accept_waveform(RATE, sound)
        features.input_finished()
        return features.num_frames_ready

    return extract


def _librosa(librosa: Any, sound: Sound) -> Extract:
    def extract() -> object:
        powers = librosa.feature.melspectrogram(
            y=sound, sr=RATE, n_fft=FRAME, hop_length=HOP, n_mels=80, pad_mode="reflect"
        )
        return np.log10(np.maximum(powers, 1e-10))

    return extract


EXTRACTORS: Final[dict[str, tuple[str, Callable[[Any, Sound], Extract]]]] = {
    "whisper80": ("minerva_native", _native(80)),
    "whisper128": ("minerva_native", _native(128)),
    "mel64": ("minerva_native", _native_mel64),
    "scipy": ("scipy.fft", _scipy),
    "faster_whisper": ("faster_whisper.feature_extractor", _faster_whisper),
    "kaldi_native_fbank": ("kaldi_native_fbank", _kaldi),
    "librosa": ("librosa", _librosa),
}


if __name__ == "__main__":
    main()
