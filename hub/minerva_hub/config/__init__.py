"""The hub's settings: typed structs whose defaults work, and the loader that fills them."""

from minerva_hub.config.settings import (
    DiarizeConfig,
    HubConfig,
    IngestConfig,
    SegmentConfig,
    ServerConfig,
    SessionConfig,
    StoreConfig,
    TranscribeConfig,
)

__all__ = [
    "DiarizeConfig",
    "HubConfig",
    "IngestConfig",
    "SegmentConfig",
    "ServerConfig",
    "SessionConfig",
    "StoreConfig",
    "TranscribeConfig",
]
