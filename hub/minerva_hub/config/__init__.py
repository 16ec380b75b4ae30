"""The hub's settings: typed structs whose defaults work, and the loader that fills them."""

from minerva_hub.config.addresses import Network, allowed_networks, is_address
from minerva_hub.config.document import to_toml
from minerva_hub.config.loader import find_file, is_loopback, load_config
from minerva_hub.config.settings import (
    CfVoiceConfig,
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
    "CfVoiceConfig",
    "DiarizeConfig",
    "HubConfig",
    "IngestConfig",
    "ModelsConfig",
    "Network",
    "SegmentConfig",
    "ServerConfig",
    "SessionConfig",
    "SoundsConfig",
    "StoreConfig",
    "ToneConfig",
    "TranscribeConfig",
    "allowed_networks",
    "find_file",
    "is_address",
    "is_loopback",
    "load_config",
    "to_toml",
]
