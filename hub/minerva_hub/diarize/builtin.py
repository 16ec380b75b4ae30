"""The built-in diarizer: pauses and changes of voice cut a segment into turns. It is rough, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, binary_opening

from minerva_hub.diarize.base import Bounds, Pcm, Timed, Turn
from minerva_hub.diarize.book import SessionBook
from minerva_hub.diarize.features import Frames, analyse
from minerva_hub.diarize.space import Voice, alike, pooled
from minerva_hub.diarize.voice import measure, voice_space
from minerva_hub.events import EngineInfo

Mask = NDArray[np.bool_]

BELOW_LOUD_DB: Final = 28.0  # of the loud frames: quieter ones are not the speaker
ABOVE_QUIET_DB: Final = 7.0  # over the quiet frames, the room's noise
PAUSE_FRAMES: Final = 12  # 120 ms: where speakers may change
CHUNK_FRAMES: Final = 100  # longer stretches are tried for a change without a pause
CHANGE: Final = 0.0  # alikeness of neighbours below which the speaker has changed at a pause
CHANGE_AT_ONCE: Final = -4.0  # the same without a pause
LONG_PAUSE_FRAMES: Final = 50
ALWAYS: Final = 1e6  # a scrap of voice joins a neighbour before all others join, the more alike one
SHORT_S: Final = 0.25  # voiced seconds too few to be a turn of its own


class BuiltinDiarizer:
    """Cepstra and pitch, clustered; a small matrix and no model file."""

    def __init__(self, bounds: Bounds, reason: str) -> None:
        self.info = EngineInfo(stage="diarize", name="builtin", state="rough", reason=reason)
        self.space = voice_space()
        self._bounds = bounds

    def split(self, pcm: Pcm, words: Sequence[Timed] = ()) -> list[Turn[Voice]]:
        """pcm: int16 (n,), 16 kHz mono -> turns, cut where voices differ and trimmed to what is heard."""
        frames = analyse(pcm)
        if not len(frames):
            return []
        heard = audible(frames, words)
        pieces = [_piece(frames, heard, start, end) for start, end in _islands(heard)]
        return [Turn(start / 100, end / 100, voice) for start, end, voice in _joined(pieces)]

    def open_book(self) -> SessionBook:
        """A new session's memory of speakers."""
        return SessionBook(self.space, self._bounds)


def audible(frames: Frames, words: Sequence[Timed]) -> Mask:
    """Which frames hold the speaker's sound (bool, (frames,)): loud enough, or within a word nearby."""
    loud, quiet = np.percentile(frames.level_db, [95, 4])
    level = np.convolve(np.pad(frames.level_db, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    heard = level > max(loud - BELOW_LOUD_DB, min(quiet + ABOVE_QUIET_DB, loud - 10))
    heard = binary_opening(binary_closing(np.pad(heard, 20), np.ones(9, bool)), np.ones(5, bool))[20:-20]
    spoken = np.zeros(len(frames), bool)
    for word in words:
        spoken[int(word.start_s * 100) : int(np.ceil(word.end_s * 100))] = True
    heard = heard | (spoken & binary_dilation(heard, iterations=10))
    return heard if heard.any() else np.ones(len(frames), bool)


def _islands(heard: Mask) -> list[tuple[int, int]]:
    """Stretches between pauses, long ones cut into chunks: (first frame, frame after the last)."""
    filled = binary_closing(np.pad(heard, PAUSE_FRAMES), np.ones(PAUSE_FRAMES, bool))[
        PAUSE_FRAMES:-PAUSE_FRAMES
    ]
    edges = np.flatnonzero(np.diff(np.pad(filled.astype(np.int8), 1)))
    islands: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        cuts = np.linspace(start, end, max(1, round((end - start) / CHUNK_FRAMES)) + 1).astype(int).tolist()
        islands += pairwise(cuts)
    return islands


Piece = tuple[int, int, Voice]


def _piece(frames: Frames, heard: Mask, start: int, end: int) -> Piece:
    chosen = np.zeros(len(frames), bool)
    chosen[start:end] = heard[start:end]
    return start, end, measure(frames, chosen)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join neighbours, the most alike first, until all that are left differ."""
    pieces = list(pieces)
    while len(pieces) > 1:
        margins = [_sameness(a, b) for a, b in pairwise(pieces)]
        best = int(np.argmax(margins))
        if margins[best] < 0:
            break
        a, b = pieces[best : best + 2]
        pieces[best : best + 2] = [(a[0], b[1], pooled(voice_space(), [a[2], b[2]]))]
    return pieces


def _sameness(left: Piece, right: Piece) -> float:
    """Above 0 when two neighbours are one turn; speakers seldom change without a pause."""
    likeness = float(alike(voice_space(), [left[2]], [right[2]])[0, 0])
    pause = right[0] - left[1]
    if min(left[2].voiced_s, right[2].voiced_s) < SHORT_S and pause < LONG_PAUSE_FRAMES:
        return ALWAYS + likeness
    return likeness - (CHANGE if pause else CHANGE_AT_ONCE)
