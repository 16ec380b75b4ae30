"""The hub's settings: typed structs whose defaults work, and the loader that fills them."""

from minerva_hub.config.document import to_toml
from minerva_hub.config.loader import find_file, is_loopback, load_config
from minerva_hub.config.settings import (
    DiarizeConfig,
    HubConfig,
    IngestConfig,
    ModelsConfig,
    SegmentConfig,
    ServerConfig,
    SessionConfig,
    SoundsConfig,
    StoreConfig,
    ToneConfig,
    TranscribeConfig,
)

__all__ = [
    "DiarizeConfig",
    "HubConfig",
    "IngestConfig",
    "ModelsConfig",
    "SegmentConfig",
    "ServerConfig",
    "SessionConfig",
    "SoundsConfig",
    "StoreConfig",
    "ToneConfig",
    "TranscribeConfig",
    "find_file",
    "is_loopback",
    "load_config",
    "to_toml",
]
