"""Which engine tells affect, and why."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from minerva_hub.config import ToneConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, Missing, find_wav2vec2
from minerva_hub.tone.base import EmotionReader, NoModel
from minerva_hub.tone.wav2vec2 import Wav2Vec2Reader

NEEDED = ("torch", "transformers")


def choose_reader(config: ToneConfig, models: Path | None = None) -> EmotionReader | None:
    """The engine for these settings, loaded, None when tone is switched off; looks at this disk only.

    `models` is the folder of pulled models ([models] path). `auto` never fails, it says why it has no model.

    EngineUnavailableError when wav2vec2 was asked for and lacks its model or its libraries.
    """
    if config.engine == "off":
        return None
    if config.engine == "prosody":
        return NoModel("Asked for in the settings: no emotion model, affect stays neutral.")
    found = None if config.model or models is None else find_wav2vec2(models)
    folder = Path(config.model).expanduser() if config.model else None
    if isinstance(found, Found):
        folder = found.path
    if config.engine == "wav2vec2":
        if folder is None:
            why = f": {found.reason}" if isinstance(found, Missing) else ""
            raise EngineUnavailableError(
                f"[tone] engine wav2vec2: [tone] model must name the model's folder{why}"
            )
        return Wav2Vec2Reader(folder, "Asked for in the settings.")
    if isinstance(found, Missing) and found.damaged:
        return NoModel(f"No emotion model: {found.reason}; affect stays neutral.")
    if folder is None:
        return NoModel("No emotion model: affect stays neutral.")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return NoModel(f"No emotion model: {' and '.join(missing)} not installed; affect stays neutral.")
    try:
        return Wav2Vec2Reader(folder, "Emotion model on disk.")
    except EngineUnavailableError as problem:
        return NoModel(f"No emotion model: {problem}; affect stays neutral.")
