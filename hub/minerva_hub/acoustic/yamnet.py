"""YAMNet by LiteRT: its 521 classes, of which those that Minerva has a name for count.

The stock files take samples: 15,600 at a time, or any number. A file that takes patches works too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from minerva.wire import MEL_BANDS
from numpy.typing import NDArray

from minerva_hub.acoustic import litert
from minerva_hub.acoustic.base import PATCH_HOPS, WAVEFORM, Batch, Scores, checked, no_scores
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo

CLASSES: Final = 521
# Label -> the classes, by their numbers in YAMNet's list; a label's score is that of its likeliest class.
# YAMNet has none for hold music, and does not part smoke from carbon monoxide.
MAPPING: Final[dict[str, dict[int, str]]] = {
    "smoke_alarm": {393: "Smoke detector, smoke alarm", 394: "Fire alarm"},
    "doorbell": {349: "Doorbell", 350: "Ding-dong"},
    "ringback": {387: "Dial tone"},
    "busy": {388: "Busy signal"},
    "dtmf_tone": {386: "Telephone dialing, DTMF"},
    "speech": {
        0: "Speech",
        1: "Child speech, kid speaking",
        2: "Conversation",
        3: "Narration, monologue",
        6: "Shout",
        12: "Whispering",
    },
    "music": {24: "Singing", 132: "Music", 133: "Musical instrument"},
    "knock": {353: "Knock", 354: "Tap"},
    "glass_break": {435: "Glass", 437: "Shatter", 464: "Breaking"},
    "appliance_beep": {362: "Microwave oven", 389: "Alarm clock", 475: "Beep, bleep"},
    "noise": {
        277: "Wind",
        283: "Rain",
        371: "Vacuum cleaner",
        406: "Mechanical fan",
        407: "Air conditioning",
        507: "Noise",
        514: "White noise",
        515: "Pink noise",
    },
    "silence": {494: "Silence"},
}
_STEPS, _BIAS = np.float32(21.25), np.float32(7.0)  # of minerva-mel64 in 8 bits (docs/protocol.md)
_MEMBERS: Final = [(LABELS.index(label), sorted(classes)) for label, classes in MAPPING.items()]


def _read_back(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    logs: NDArray[np.float32] = rows.astype(np.float32) / _STEPS - _BIAS
    return logs


def to_labels(classes: NDArray[np.floating[Any]]) -> Scores:
    """(n, 521) of YAMNet -> (n, len(LABELS))."""
    out = no_scores(len(classes))
    for column, members in _MEMBERS:
        out[:, column] = classes[:, members].max(axis=1)
    return out


class YamnetEngine:
    """A YAMNet file that the owner put on this disk."""

    def __init__(self, path: Path, reason: str) -> None:
        """Load it; EngineUnavailableError when the file is not a YAMNet."""
        self.info = EngineInfo(stage="sounds", name="yamnet", model=path.name, state="ready", reason=reason)
        self._interpreter = litert.load(path)
        source = self._interpreter.get_input_details()[0]
        self._input = source["index"]
        self._prepare, self.needs_samples = self._input_form(path, source)
        litert.allocate(self._interpreter, path)
        self._output = self._scores_output(path)

    def scores(self, batch: Batch) -> Scores:
        """float32 (n, len(LABELS)), 0 to 1; ValueError and EngineError as `SoundEngine` says."""
        checked(batch, samples=self.needs_samples)
        given: Any = batch.waveforms if self.needs_samples else batch.patches
        classes = np.zeros((len(batch), CLASSES), np.float32)
        for n, one in enumerate(given):
            try:
                self._interpreter.set_tensor(self._input, self._prepare(one))
                self._interpreter.invoke()
                found = self._interpreter.get_tensor(self._output).reshape(-1, CLASSES)
            except (ValueError, RuntimeError) as error:
                raise EngineError(f"YAMNet failed: {error}") from error
            classes[n] = found[0]
        return to_labels(classes)

    def _input_form(self, path: Path, source: dict[str, Any]) -> tuple[Callable[[Any], Any], bool]:
        shape = tuple(int(n) for n in source["shape"])
        any_length = -1 in [int(n) for n in source["shape_signature"]]
        if source["dtype"] == np.float32:
            if any_length and np.prod(shape) <= 1:  # the file that takes any length
                shape = (*shape[:-1], WAVEFORM)
                self._interpreter.resize_tensor_input(self._input, shape)
            if np.prod(shape) == WAVEFORM:
                return lambda pcm: (pcm.astype(np.float32) / 32768.0).reshape(shape), True
            if np.prod(shape) == PATCH_HOPS * MEL_BANDS:
                return lambda patch: _read_back(patch).reshape(shape), False
        raise EngineUnavailableError(
            f"{path} is no YAMNet: its input is {np.dtype(source['dtype'])} {shape}, it should be "
            f"float32 of {WAVEFORM} samples or of {PATCH_HOPS} by {MEL_BANDS}"
        )

    def _scores_output(self, path: Path) -> int:
        found = self._interpreter.get_output_details()
        for one in found:  # the larger file gives embeddings and a spectrogram as well
            if one["dtype"] == np.float32 and len(one["shape"]) and int(one["shape"][-1]) == CLASSES:
                return int(one["index"])
        told = ", ".join(str(tuple(int(n) for n in one["shape"])) for one in found)
        raise EngineUnavailableError(
            f"{path} is no YAMNet: its outputs are {told}, one should be of {CLASSES} scores"
        )
