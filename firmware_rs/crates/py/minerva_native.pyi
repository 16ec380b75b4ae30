"""The device's features, gate and codec, as the firmware in Rust computes them.

Arrays are one-dimensional and contiguous, of the type named; another type is a TypeError, a value beyond its
bounds a ValueError, or an OverflowError where its type has no such number (-1 of an unsigned one). The
interpreter is released meanwhile: do not write to an array that is being read.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Conditioner",
    "Gate",
    "adpcm_decode",
    "adpcm_encode",
    "amplitude_cdb",
    "frame_cdb",
    "mel64_log",
    "mel64_magnitudes",
    "mel64_u8",
    "mfcc",
    "mfcc_device",
    "peak",
    "self_test",
    "whisper_logmel",
]

def mel64_u8(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """minerva-mel64 as it travels: (n,), 16 kHz -> (frames, 64), each of 400 samples, in steps of 160."""

def mel64_log(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """minerva-mel64 before it is quantised, ln(x + 0.001): (n,), 16 kHz -> (frames, 64)."""

def mel64_magnitudes(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """The magnitudes that minerva-mel64 sums its bands from: (n,), 16 kHz -> (frames, 257)."""

def self_test() -> str:
    """The hash of minerva-mel64 of the protocol's known signal, as 16 hex digits."""

def whisper_logmel(pcm: NDArray[np.float32] | NDArray[np.int16], n_mels: int = 80) -> NDArray[np.float32]:
    """Whisper's log10 mel powers before the global clamp: (n,), 16 kHz, 201 or more -> (n_mels, n // 160).

    n_mels is 80 or 128.
    """

def mfcc(
    pcm: NDArray[np.float32] | NDArray[np.int16],
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
) -> NDArray[np.float32]:
    """MFCC as librosa defines them with top_db=None: (n,) -> (n_mfcc, 1 + n // hop_length).

    In float64 by a library, for any even n_fft from 16 to 65536; n_mels is 1 to 1024.
    """

def mfcc_device(
    pcm: NDArray[np.float32] | NDArray[np.int16],
    *,
    sample_rate: int = 16000,
    n_fft: int = 512,
    hop_length: int = 160,
    n_mels: int = 40,
    n_mfcc: int = 13,
) -> NDArray[np.float32]:
    """The same by what a chip runs, within 1e-3; n_fft is a power of two, 128 to 2048, n_mels 1 to 128."""

def adpcm_encode(pcm: NDArray[np.int16], state: tuple[int, int] = (0, 0)) -> tuple[bytes, tuple[int, int]]:
    """(n,), n even -> IMA-ADPCM, and the (predictor, index) to go on with."""

def adpcm_decode(coded: bytes, state: tuple[int, int] = (0, 0)) -> tuple[NDArray[np.int16], tuple[int, int]]:
    """IMA-ADPCM -> two samples a byte, and the (predictor, index) to go on with."""

def frame_cdb(frame: NDArray[np.int16]) -> int:
    """RMS of a frame of 320 samples in hundredths of dBFS."""

def peak(pcm: NDArray[np.int16]) -> int:
    """The largest magnitude, 0 to 32767."""

def amplitude_cdb(amplitude: int) -> int:
    """Peak magnitude -> hundredths of dBFS."""

class Conditioner:
    """High-pass, gain and saturation of a microphone's samples, from one call to the next."""

    def __new__(cls, gain_db: float) -> Conditioner:
        """`gain_db` from -12 to 48."""

    def process(self, slots: NDArray[np.int32]) -> NDArray[np.int16]:
        """Left-justified 24-bit samples (n,) -> (n,)."""

class Gate:
    """The gate, a frame of 20 ms at a time."""

    def __new__(cls) -> Gate:
        """One that has heard nothing."""

    def frame(self, level_cdb: int, hops: NDArray[np.uint8]) -> bool:
        """A frame's level in 1/100 dBFS and its minerva-mel64 hops, (hops, 64) -> open or not."""

    @property
    def open(self) -> bool:
        """Whether what is heard now should be sent."""

    @property
    def transient(self) -> bool:
        """A loud sound is on, or was in the last two seconds."""

    @property
    def floor_cdb(self) -> int:
        """The noise floor in hundredths of dBFS."""

    @property
    def score(self) -> int:
        """The network's score of the last frame with features, 0 before: 1024 times the logit of speech."""

    def reset(self) -> None:
        """As new: nothing was heard."""
