"""`minerva config`: the settings in force, as a documented minerva.toml."""

from __future__ import annotations

from minerva_tools.options import Loaded, with_settings


@with_settings()
def config(loaded: Loaded) -> None:
    """Print the settings in force as minerva.toml, with what each means, what it may be and who set it."""
    from minerva_hub.config import to_toml

    print(to_toml(loaded.config, loaded.origins), end="")
