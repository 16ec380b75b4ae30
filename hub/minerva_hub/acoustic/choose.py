"""Which engine names the sounds, and why."""

from __future__ import annotations

import hashlib
from pathlib import Path

from minerva_hub.acoustic.base import Batch, Scores, SoundEngine
from minerva_hub.acoustic.own import FILE, OwnEngine
from minerva_hub.acoustic.yamnet import YamnetEngine
from minerva_hub.config import SoundsConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, find_yamnet, own_models, shipped


def choose_sounds(config: SoundsConfig, models: Path) -> SoundEngine | None:
    """The engine for these settings, loaded; None when sounds are switched off.

    `models`: the folder of pulled models. EngineUnavailableError when the engine asked for cannot run.
    """
    if config.engine == "off":
        return None
    if config.engine == "own":
        return _own("Asked for in the settings.")
    found = find_yamnet(models)
    if isinstance(found, Found):
        why = "Asked for in the settings." if config.engine == "yamnet" else "YAMNet on disk."
        try:
            yamnet = YamnetEngine(found.path, why)
        except EngineUnavailableError as error:
            if config.engine == "yamnet":
                raise
            return _own(f"YAMNet cannot be used: {error}")
        if not yamnet.needs_samples:
            return yamnet
        return YamnetAndOwn(yamnet, _own("for features alone"))
    if config.engine == "yamnet":
        raise EngineUnavailableError(f"[sounds] engine yamnet: {found.reason}. Engine auto works without it")
    return _own("No YAMNet on disk: Minerva's own small network names sounds.")


class YamnetAndOwn:
    """YAMNet for what came as audio; Minerva's own network for devices that send features alone."""

    def __init__(self, yamnet: YamnetEngine, own: OwnEngine) -> None:
        self.info = yamnet.info
        self._yamnet, self._own = yamnet, own

    def scores(self, batch: Batch) -> Scores:
        """As `SoundEngine`."""
        return (self._own if batch.waveforms is None else self._yamnet).scores(batch)


def _own(reason: str) -> OwnEngine:
    """The network that ships, if it is the one that models.toml states."""
    path = shipped(FILE)
    engine = OwnEngine(path, reason)
    stated = next(one.sha256 for one in own_models() if one.file == FILE)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != stated:
        raise EngineUnavailableError(
            f"{path} has the SHA-256 {found}, models.toml states {stated}: install Minerva again"
        )
    return engine
