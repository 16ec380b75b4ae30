"""The device's error tree: what the owner's settings did, what the network did, what the hub did. Pure."""


class DeviceError(Exception):
    """Base of every error the device application raises on purpose."""


class SettingsError(DeviceError):
    """settings.json cannot be used; the text names the file, the key, the value and what is allowed."""


class LinkError(DeviceError):
    """The connection to the hub failed or broke off; trying again may help."""


class HubError(LinkError):
    """The other end is not a hub we may talk to: wrong certificate, not a WebSocket, another protocol."""


class WireError(Exception):
    """A peer breaks the protocol; `code` is one of messages.ERROR_CODES, the text names the limit."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class MicrophoneError(DeviceError):
    """The microphone cannot be read."""


class SlotError(DeviceError):
    """The slots cannot be changed now: a trial is under way, or nothing was begun."""


# Why an update is refused: the same words in both firmware variants, the hub and tests/vectors/ota.json.
REFUSALS = (
    "bad_manifest",
    "too_long",
    "unknown_format",
    "wrong_variant",
    "wrong_board",
    "wrong_abi",
    "expired",
    "lower_security_version",
    "unknown_key",
    "too_few_signatures",
    "bad_signature",
    "bad_keyset",
    "keyset_gap",
    "bad_path",
    "bad_size",
    "bad_hash",
    "no_space",
    "bad_answer",
    "bad_range",
    "too_slow",
    "no_network",
)


class UpdateError(DeviceError):
    """An update is refused or failed; `code` is one of REFUSALS, the text names the value and its limit."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class TryLaterError(UpdateError):
    """The network, the server or a file begun before is to blame: the same may be asked for again."""
