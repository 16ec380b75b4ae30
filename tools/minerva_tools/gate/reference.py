"""The whole gate in Python, frame by frame: what the Rust gate must equal."""

from __future__ import annotations

from typing import Final

import numpy as np
from minerva.gate import LOWEST_FLOOR_CDB, TRANSIENT_CDB, TRANSIENT_FRAMES
from minerva.gate import Gate as EnergyGate
from numpy.typing import NDArray

from minerva_tools.gate.network import LOGIT, TONE_FRAMES, Network, inputs, scores

Flags = NDArray[np.bool_]

HANGOVER_FRAMES: Final = 50
_SPEECH_SCORE: Final = LOGIT
_SPEECH_FRAMES: Final = 3
_HOLD_SCORE: Final = 0
_SURE_SCORE: Final = 3 * LOGIT
_RISE_CDB: Final = 900
_RISE_FRAMES: Final = 3
_RISE_HOLD_FRAMES: Final = 50
_OVER_MEAN_CDB: Final = 800
_MEAN_SHIFT: Final = 6
_ALLOWANCE_FRAMES: Final = 150
_QUIET_FRAMES: Final = 100
_SURE_FRAMES: Final = 2
_NOTE_FRAMES: Final = 20
_NOTES_FRAMES: Final = 250
_LOUDER_FRAMES: Final = 100
_LOUDER_CDB: Final = 600
_FORGET_CDB: Final = 2
_NONE_CDB: Final = -20_000


def by_level(levels: NDArray[np.int32]) -> tuple[Flags, NDArray[np.int32]]:
    """Levels (n,) in hundredths of dBFS -> (open (n,), the floor (n,)): device/minerva/gate.py."""
    gate = EnergyGate()  # type: ignore[no-untyped-call]
    is_open, floor = np.zeros(len(levels), bool), np.zeros(len(levels), np.int32)
    for at, level in enumerate(levels):
        is_open[at] = gate.update(int(level))
        floor[at] = gate.floor_cdb
    return is_open, floor


def gate(network: Network, levels: NDArray[np.int32], hops: NDArray[np.uint8]) -> Flags:
    """Levels (n,) and hops (n,2,64), of which frame 0 has none -> open (n,)."""
    rows, tone_frames = inputs(hops[1:])
    logits = scores(network, rows)
    speech, sure = np.append(False, for_speech(logits)), np.append(False, logits > _SURE_SCORE)
    return speech | sudden(levels, by_level(levels)[1], np.append(0, tone_frames), speech, sure)


def for_speech(logits: NDArray[np.int64]) -> Flags:
    """Scores -> where the gate is open for speech."""
    out = np.zeros(len(logits), bool)
    rise = hold = 0
    for at, score in enumerate(logits):
        rise = min(rise + 1, _SPEECH_FRAMES) if score > _SPEECH_SCORE else max(rise - 1, 0)
        if rise == _SPEECH_FRAMES or (hold > 0 and score > _HOLD_SCORE):
            hold = HANGOVER_FRAMES
        else:
            hold = max(hold - 1, 0)
        out[at] = hold > 0
    return out


def sudden(
    levels: NDArray[np.int32],
    floors: NDArray[np.int32],
    tone_frames: NDArray[np.int32],
    speech: Flags,
    sure: Flags,
) -> Flags:
    """Where a sudden sound holds the gate.

    Per frame (n,): level and floor in hundredths of dBFS, for how many frames a tone has stood out, where the
    gate is open for speech, where the frame itself surely is.
    """
    out = np.zeros(len(levels), bool)
    rise = hold = quiet = 0
    allowance, since_note, loudest = _ALLOWANCE_FRAMES, _NOTES_FRAMES, _NONE_CDB
    mean: int | None = None
    for at in range(len(levels)):
        level = min(max(int(levels[at]), LOWEST_FLOOR_CDB), 0)
        was = level << 8 if mean is None else mean
        mean = was + (((level << 8) - was) >> _MEAN_SHIFT)
        over = level - int(floors[at])
        risen = level - (was >> 8) >= _OVER_MEAN_CDB
        rise = min(rise + 1, _RISE_FRAMES) if over >= _RISE_CDB and risen else max(rise - 1, 0)
        loudest = max(loudest - _FORGET_CDB, _NONE_CDB)
        transient = over >= TRANSIENT_CDB and risen
        if transient or tone_frames[at] >= TONE_FRAMES or rise == _RISE_FRAMES:
            hold = max(hold, TRANSIENT_FRAMES if transient else _RISE_HOLD_FRAMES)
            if level > loudest + _LOUDER_CDB:
                allowance = max(allowance, _LOUDER_FRAMES)
            loudest = max(loudest, level)
        else:
            hold = max(hold - 1, 0)
        out[at] = hold > 0 and allowance > 0
        since_note = 0 if tone_frames[at] >= _NOTE_FRAMES else min(since_note + 1, _NOTES_FRAMES)
        if sure[at]:
            allowance += _SURE_FRAMES
        if hold > 0:
            quiet = 0
            allowance = max(allowance - (not speech[at]), 0)
        elif quiet == _QUIET_FRAMES:
            allowance = _ALLOWANCE_FRAMES
        else:
            quiet += 1
            allowance += bool(speech[at] or since_note == _NOTES_FRAMES)
        allowance = min(allowance, _ALLOWANCE_FRAMES)
    return out
