"""The device's error tree: what the owner's settings did, what the network did, what the hub did. Pure.

Faults of the protocol itself are `wire.WireError`.
"""


class DeviceError(Exception):
    """Base of every error the device application raises on purpose."""


class SettingsError(DeviceError):
    """settings.json cannot be used; the text names the file, the key, the value and what is allowed."""


class LinkError(DeviceError):
    """The connection to the hub failed or broke off; trying again may help."""


class HubError(LinkError):
    """The other end is not a hub we may talk to: wrong certificate, not a WebSocket, another protocol."""


class MicrophoneError(DeviceError):
    """The microphone cannot be read."""
