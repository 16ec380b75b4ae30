"""Minerva's own sound network (models/minerva-sounds.tflite): features in 8 bits -> scores of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from minerva.wire import MEL_BANDS

from minerva_hub.acoustic import litert
from minerva_hub.acoustic.base import PATCH_HOPS, Batch, Scores, checked, no_scores
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo

FILE: Final = "minerva-sounds.tflite"
NO_SAFETY: Final = "Trained on made sounds alone, and no life-safety device."
_INPUT: Final = (1, PATCH_HOPS, MEL_BANDS, 1)
_OUTPUT: Final = (1, 1, 1, len(LABELS))
_FLIP: Final = np.uint8(0x80)  # uint8 on the wire, int8 in the file: the same bits but for the first


class OwnEngine:
    """The network in 8-bit integers; takes features alone."""

    def __init__(self, path: Path, reason: str) -> None:
        """Load it; EngineUnavailableError when the file is not the network known here."""
        self.info = EngineInfo(
            stage="sounds", name="own", model=path.name, state="rough", reason=f"{reason} {NO_SAFETY}"
        )
        self._interpreter = litert.load(path)
        source, target = _only(self._interpreter, path)
        litert.allocate(self._interpreter, path)
        self._input, self._output = source["index"], target["index"]
        scale, zero = target["quantization"]
        self._scores = ((np.arange(256).astype(np.uint8).view(np.int8) - float(zero)) * scale).astype(
            np.float32
        )

    def scores(self, batch: Batch) -> Scores:
        """float32 (n, len(LABELS)), 0 to 1; ValueError and EngineError as `SoundEngine` says."""
        patches = (checked(batch, samples=False).patches ^ _FLIP).view(np.int8)
        out = no_scores(len(patches))
        for n, patch in enumerate(patches):
            try:
                self._interpreter.set_tensor(self._input, patch[None, :, :, None])
                self._interpreter.invoke()
            except (ValueError, RuntimeError) as error:
                raise EngineError(f"Minerva's sound network failed: {error}") from error
            out[n] = self._scores[self._interpreter.get_tensor(self._output).reshape(-1).view(np.uint8)]
        return out


def _only(interpreter: Any, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one input and the one output, as this network has them."""
    sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
    for what, found, shape in (("input", sources, _INPUT), ("output", targets, _OUTPUT)):
        told = [f"{np.dtype(one['dtype'])} {tuple(int(n) for n in one['shape'])}" for one in found]
        if told != [f"int8 {shape}"]:
            raise EngineUnavailableError(
                f"{path} is another network than Minerva's: its {what} is {', '.join(told)}, "
                f"it should be int8 {shape}"
            )
    return sources[0], targets[0]
