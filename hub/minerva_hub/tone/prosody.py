"""How something was said: level, pitch, pace and pauses of one utterance, measured without a model."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from minerva_hub.events import Prosody

RATE: Final = 16_000
FRAMES_S: Final = 100  # frames of 10 ms in a second
FLOOR_RMS: Final = 0.005  # cf-voice's energy floor, -46 dBFS: softer speech says nothing reliable
MIN_VOICED_S: Final = 0.2  # of voiced frames, below which pitch is not told
VOICED: Final = 0.55  # periodicity, 0 to 1
BELOW_LOUD_DB: Final = 25.0  # frames quieter than that, of the loud ones, are pauses
PAUSE_S: Final = 0.15  # shorter gaps are the closures of stops
DIP_DB: Final = 2.0  # between two syllables the level falls by this much at least
SYLLABLE_FRAMES: Final = 8  # two syllables are 80 ms apart at least
REFERENCE_HZ: Final = 100.0  # semitones are counted from here

Floats = NDArray[np.float64]


class VoiceFrames(Protocol):
    """Frames of 10 ms: `pitch` ln Hz (n,), `voicing` 0 to 1 (n,), `level_db` (n,) of the bands of speech."""

    @property
    def pitch(self) -> Floats: ...  # noqa: D102 - described above

    @property
    def voicing(self) -> Floats: ...  # noqa: D102

    @property
    def level_db(self) -> Floats: ...  # noqa: D102


def measure(pcm: NDArray[np.int16], frames: VoiceFrames) -> Prosody | None:
    """pcm: int16 (n,), 16 kHz mono, with its frames -> prosody; None where it is too soft or short."""
    count = min(len(frames.level_db), len(pcm) // (RATE // FRAMES_S))
    level = np.asarray(frames.level_db[:count])
    if count < FRAMES_S // 4:
        return None
    heard = _heard(level)
    first, end = _bounds(heard)
    blocks = pcm[: count * (RATE // FRAMES_S)].reshape(count, -1).astype(np.float64) / 32768
    rms = float(np.sqrt(np.mean(blocks[heard] ** 2)))
    if rms < FLOOR_RMS:
        return None
    voiced = heard & (frames.voicing[:count] > VOICED)
    semitones = 12 / np.log(2) * (frames.pitch[:count][voiced] - np.log(REFERENCE_HZ))
    low, middle, high = np.percentile(semitones, [10, 50, 90]) if len(semitones) else (0.0, 0.0, 0.0)
    known = len(semitones) >= MIN_VOICED_S * FRAMES_S
    pauses = _pauses(heard[first:end])
    spoken_s = (end - first - sum(pauses)) / FRAMES_S
    return Prosody(
        level_db=round(20 * float(np.log10(rms)), 1),
        pitch_hz=round(float(REFERENCE_HZ * 2 ** (middle / 12)), 1) if known else None,
        pitch_range_st=round(float(high - low), 2) if known else None,
        rate_hz=round(_syllables(level, voiced) / spoken_s, 2),
        pause_share=round(sum(pauses) / (end - first), 3),
        longest_pause_s=max(pauses, default=0) / FRAMES_S,
        spoken_s=round(spoken_s, 2),
    )


def _heard(level_db: Floats) -> NDArray[np.bool_]:
    smooth = np.convolve(np.pad(level_db, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    return np.asarray(smooth >= float(np.percentile(smooth, 95)) - BELOW_LOUD_DB)


def _bounds(heard: NDArray[np.bool_]) -> tuple[int, int]:
    """The first frame that is heard, and the one after the last; there is one, as the loudest is."""
    places = np.flatnonzero(heard)
    return int(places[0]), int(places[-1]) + 1


def _pauses(heard: NDArray[np.bool_]) -> list[int]:
    """Lengths in frames of the stretches without sound that are pauses."""
    edges = np.flatnonzero(np.diff(np.pad((~heard).astype(np.int8), 1)))
    lengths = (edges[1::2] - edges[::2]).tolist()
    return [length for length in lengths if length >= PAUSE_S * FRAMES_S]


def _syllables(level_db: Floats, voiced: NDArray[np.bool_]) -> int:
    """How many vowels there are: voiced peaks of the level with a dip between them; one at least."""
    smooth = np.convolve(np.pad(level_db, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    peaks, _ = find_peaks(smooth, prominence=DIP_DB, distance=SYLLABLE_FRAMES)
    return max(1, int(np.count_nonzero(voiced[peaks])))
