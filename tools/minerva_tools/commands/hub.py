"""`minerva hub`: run the hub."""

from __future__ import annotations

from minerva_tools.options import Loaded, with_settings


@with_settings()
def hub(loaded: Loaded) -> None:
    """Run the hub: devices link to it, its page shows what they hear. Ctrl-C stops it."""
    from minerva_hub.app import run

    run(loaded.config)
