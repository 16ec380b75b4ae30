"""What all links share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from minerva_hub.auth import DeviceTokens
from minerva_hub.bus import Bus
from minerva_hub.fleet import Fleet
from minerva_hub.pipeline import Pipeline
from minerva_hub.store import Store

MAX_LINKS = 1000  # twice what one core was measured to carry


@dataclass(kw_only=True)
class LinkHub:
    """The parts of the hub that links use; `kind` is the media kind asked of devices that have it."""

    store: Store
    bus: Bus
    fleet: Fleet
    pipeline: Pipeline
    kind: str
    tokens: DeviceTokens
    drops: Counter[str] = field(default_factory=Counter)

    @property
    def hub_id(self) -> str:
        """The hub's name."""
        return f"hub-{self.store.hub_id[:8]}"
