"""The gate: speech that it misses, steady sound that it keeps back, alarms that it sends; beside two others.

The others are the gate by level alone (device/minerva/gate.py) and Silero's network, which faster-whisper
carries, with the same hangover. Voices, timbres, some noises and some alarms were not trained on.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from minerva_hub.segment import silero
from numpy.typing import NDArray

from minerva_tools.gate.reference import HANGOVER_FRAMES, by_level
from minerva_tools.material import judged
from minerva_tools.material.judged import SNRS_DB, STEADY, Judged
from minerva_tools.material.scenes import FRAME, Flags, frames_of
from minerva_tools.measure import Result, at_least, at_most, figure, not_measured

SEED: Final = 50_000
MAX_MISSED: Final = 2.0  # percent of speech
MIN_QUIET: Final = 90.0  # percent of noise, hum and music beds
MIN_ALARMS: Final = 100.0  # percent, of those over noise
ALARMS: Final = tuple(f"alarms_{snr}" for snr in SNRS_DB)

_NATIVE: Final = "minerva_native"
_THRESHOLD, _RELEASE = 0.5, 0.35  # as the hub's segmenter has them

Gate = Callable[[Judged], Flags]
Counts = dict[str, tuple[int, int]]


def run(seed: int = SEED) -> Iterable[Result]:
    """Judge all gates on the same recordings; without its module ours is not measured, and that is not ok.

    Seeds less than 100,000 apart share some recordings.
    """
    gates: dict[str, Gate] = {"level": _by_level, "silero": _silero()}
    if find_spec(_NATIVE) is None:
        yield not_measured("ours", "%", f"{_NATIVE} is not built: make native")
    else:
        gates = {"ours": _ours(import_module(_NATIVE)), **gates}
    counts: dict[str, Counts] = {name: defaultdict(lambda: (0, 0)) for name in gates}
    for number, (group, recording) in enumerate(judged.cases(seed)):
        if number % 50 == 0:
            print(f"gate: recording {number}", file=sys.stderr, flush=True)
        for name, gate in gates.items():
            for key, part, whole in _judge(group, recording, gate(recording)):
                had = counts[name][key]
                counts[name][key] = had[0] + part, had[1] + whole
    for name, found in counts.items():
        yield from _results(name, found)


def _judge(group: str, recording: Judged, is_open: Flags) -> Iterable[tuple[str, int, int]]:
    truth = recording.truth
    sent = judged.sent(is_open)
    if group.startswith("missed"):
        yield group, int((truth & ~sent).sum()), int(truth.sum())
        yield "pauses", int((~truth & ~sent).sum()), int((~truth).sum())
    elif group.startswith("quiet"):
        yield group, int((truth & ~sent).sum()), int(truth.sum())
    else:
        yield group, int(judged.is_sent(recording, is_open)), 1


def _results(name: str, counts: Mapping[str, tuple[int, int]]) -> Iterable[Result]:
    def percent(chosen: Iterable[str]) -> float:
        part, whole = (sum(column) for column in zip(*(counts[key] for key in chosen), strict=True))
        return float(100 * part / whole)

    ours = name == "ours"
    kinds = sorted({judged.kind_of(background) for background in judged.backgrounds()})
    for snr in SNRS_DB:
        value = percent(f"missed_{snr}_{kind}" for kind in kinds)
        each = ", ".join(f"{kind} {percent([f'missed_{snr}_{kind}']):.1f}" for kind in kinds)
        told = f"frames of speech not sent, pre-roll of 480 ms counted as sent, {snr} dB over: {each}"
        key = f"{name}_missed_{snr}dB"
        yield at_most(key, value, "%", MAX_MISSED, told) if ours else figure(key, value, "%", told)
    quiet = sorted(key for key in counts if key.startswith("quiet_"))
    each = ", ".join(f"{key.removeprefix('quiet_')} {percent([key]):.1f}" for key in quiet)
    told = f"noise, hum and music not sent, 10 dB below speech, a minute that begins 10 or 25 dB over: {each}"
    value = percent(f"quiet_{kind}" for kind in STEADY)
    key = f"{name}_steady_kept"
    yield at_least(key, value, "%", MIN_QUIET, told) if ours else figure(key, value, "%", told)
    for key in sorted(key for key in counts if key.startswith(("alarms_", "claps_"))):
        what = "alarms, chimes and crashes" if key.startswith("alarms_") else "claps and thuds"
        value, told = (
            percent([key]),
            f"{counts[key][1]} {what}, at least half of their first four seconds sent",
        )
        if ours and key in ALARMS:
            yield at_least(f"{name}_{key}", value, "%", MIN_ALARMS, told)
        else:
            yield figure(f"{name}_{key}", value, "%", told)
    yield figure(
        f"{name}_pauses_kept", percent(["pauses"]), "%", "between sentences that are 0.4 to 5 s apart"
    )


def _ours(native: Any) -> Gate:
    def gate(recording: Judged) -> Flags:
        levels, hops = frames_of(recording.pcm)
        one = native.Gate()
        out = np.zeros(len(levels), bool)
        for at, level in enumerate(levels.tolist()):
            out[at] = one.frame(level, hops[at] if at else hops[at, :0])
        return out

    return gate


def _by_level(recording: Judged) -> Flags:
    return by_level(frames_of(recording.pcm)[0])[0]


def _silero() -> Gate:
    session = silero.open_session(str(silero.model_path()))

    def gate(recording: Judged) -> Flags:
        sound = np.append(np.zeros(silero.CONTEXT), recording.pcm / 32768).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(sound, silero.CONTEXT + silero.WINDOW)
        probability = silero.run_sequence(session, np.ascontiguousarray(windows[:: silero.WINDOW]))
        return _with_hangover(probability, len(recording.pcm) // FRAME)

    return gate


def _with_hangover(probability: NDArray[np.float32], frames: int) -> Flags:
    """Probabilities of windows -> open per frame, once a frame's last whole window is known."""
    out = np.zeros(frames, bool)
    hold = 0
    for at in range(frames):
        window = (at + 1) * FRAME // silero.WINDOW - 1
        now = float(probability[window]) if window >= 0 else 0.0
        if now >= _THRESHOLD or (hold and now >= _RELEASE):
            hold = HANGOVER_FRAMES
        else:
            hold = max(0, hold - 1)
        out[at] = hold > 0
    return out
