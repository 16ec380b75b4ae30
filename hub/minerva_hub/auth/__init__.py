"""Who the hub is, and who may talk to it: its certificates, the owner's login, the devices' tokens."""

from minerva_hub.auth.access import Access
from minerva_hub.auth.identity import Identity
from minerva_hub.auth.names import own_names
from minerva_hub.auth.place import is_local, source
from minerva_hub.auth.tokens import DeviceTokens, hash_token, is_authorised, new_token

__all__ = [
    "Access",
    "DeviceTokens",
    "Identity",
    "hash_token",
    "is_authorised",
    "is_local",
    "new_token",
    "own_names",
    "source",
]
