"""settings.json, version 1: where the hub is, who this device is, and what its owner allows. Pure.

    chosen = load()     # setting_values.Settings; this module may be forgotten then

Every error names the file, the key, the value and what is allowed. Unknown keys are refused: a misspelt
"ceiling" must not quietly leave the default.
"""

import json

from minerva.dsp import MAX_GAIN_DB, MIN_GAIN_DB
from minerva.errors import SettingsError
from minerva.port import const
from minerva.rules import is_id
from minerva.setting_values import Settings as Settings
from minerva.setting_values import UpdateServer
from minerva.strict_json import check_object
from minerva.wire import MODES

_VERSION = const(1)
MAX_BYTES = 8192  # a PEM certificate has about 1 kB, all else together less
_MIN_RING = const(8192)  # 0.8 s of ADPCM; less would not bridge a reconnect
_MAX_RING = const(4 << 20)

_LINK_SCHEMES = ("ws", "wss")  # plain, with TLS
_UPDATE_SCHEMES = ("http", "https")

_REQUIRED = object()


def split_url(url: str, schemes: tuple = _LINK_SCHEMES) -> "tuple[str, str, int, str]":
    """Address -> (scheme, host, port, path); ValueError when it is none of `schemes`, (plain, with TLS)."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in schemes:
        raise ValueError("an address beginning with %s:// or %s://" % (schemes[1], schemes[0]))
    authority, slash, path = rest.partition("/")
    host = authority
    port = "443" if scheme == schemes[1] else "80"
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise ValueError("an address whose [host] is closed")
        port = after[1:] or port
    elif ":" in authority:
        host, _, port = authority.partition(":")
    # Nothing that could end the line or the header in which the host and path are sent.
    for c in url:
        if not "!" <= c <= "~":
            raise ValueError("an address without spaces or control characters")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or "@" in authority:
        raise ValueError("an address with a host, and a port from 1 to 65535 if any")
    return scheme, host, int(port), slash + path or "/"


def is_loopback(host: str) -> bool:
    """Whether a connection to `host` stays on this machine."""
    if host in ("localhost", "::1"):
        return True
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all([p.isdigit() and int(p) < 256 for p in parts])


def _text(low: int, high: int):
    want = "text of %d to %d bytes" % (low, high)

    def check(value):
        return None if isinstance(value, str) and low <= len(value.encode()) <= high else want

    return check


def _number(low, high, whole: bool):
    want = "a %s from %d to %d" % ("whole number" if whole else "number", low, high)

    def check(value):
        right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        return None if right and low <= value <= high else want

    return check


def _device(value):
    return None if isinstance(value, str) and is_id(value) else "1 to 32 of a-z, 0-9 and '-'"


def _board(value):
    good = isinstance(value, str) and 1 <= len(value) <= 32 and is_id(value.replace("_", "-"))
    return None if good else "the name of a module in boards/, as devkitc1_inmp441"


def _url(schemes: tuple):
    plain, secure = schemes

    def check(value):
        if not isinstance(value, str) or len(value) > 256:
            return "an address beginning with %s:// or %s://, of at most 256 characters" % (secure, plain)
        try:
            scheme, host, _, _ = split_url(value, schemes)
        except ValueError as e:
            return str(e)
        if scheme == plain and not is_loopback(host):
            return (
                "%s:// beyond loopback: without TLS anybody on the network could take the token and the audio"
                % secure
            )
        return None

    return check


def _object(*keys):
    want = "an object with " + " and ".join(keys)
    return lambda value: None if isinstance(value, dict) else want


def _ring(value):
    if value == 0 and not isinstance(value, bool):
        return None
    want = _number(_MIN_RING, _MAX_RING, True)(value)
    return want and want + ", or 0 to take what suits the memory"


def _ceiling(value):
    return None if isinstance(value, str) and value in MODES else "one of " + ", ".join(MODES)


def _version(value):
    right = value is not True and value == _VERSION
    return None if right else "%d, the version this firmware reads" % _VERSION


# key: (check -> None or what is allowed, default). Keys of "wifi" and "update" likewise.
_KEYS = {
    "version": (_version, _REQUIRED),
    "device": (_device, _REQUIRED),
    "board": (_board, _REQUIRED),
    "url": (_url(_LINK_SCHEMES), _REQUIRED),
    "server_name": (_text(0, 128), ""),
    "ca": (_text(0, 4096), ""),
    "token": (_text(1, 128), _REQUIRED),
    "wifi": (_object("ssid", "password"), None),
    "ceiling": (_ceiling, "speech"),
    "gain_db": (_number(MIN_GAIN_DB, MAX_GAIN_DB, False), 24),
    "ring_bytes": (_ring, 0),
    "update": (_object("url"), None),
}
_WIFI_KEYS = {"ssid": (_text(1, 32), _REQUIRED), "password": (_text(0, 64), "")}
_UPDATE_KEYS = {
    "url": (_url(_UPDATE_SCHEMES), _REQUIRED),
    "server_name": (_text(0, 128), ""),
    "ca": (_text(0, 4096), ""),
    "token": (_text(0, 128), ""),
}
_OWN = ("server_name", "ca", "token")  # of an update server that is not the hub; else all are the link's
_SECRET = ("token", "password")


def _checked(values: dict, keys: dict, name: str, prefix: str) -> dict:
    for key in values:
        if key not in keys:
            raise SettingsError(
                "%s: unknown key %s%s; allowed are %s" % (name, prefix, key, ", ".join(sorted(keys)))
            )
    out = {}
    for key in keys:
        check, default = keys[key]
        if key not in values or (values[key] is None and default is not _REQUIRED):
            if default is _REQUIRED:
                raise SettingsError("%s: %s%s is missing" % (name, prefix, key))
            out[key] = default
            continue
        value = values[key]
        want = check(value)
        if want:
            # A secret in an error would end up in a log.
            shown = "(not shown)" if key in _SECRET else repr(value)[:80]
            raise SettingsError("%s: %s%s is %s; it must be %s" % (name, prefix, key, shown, want))
        out[key] = value
    return out


def parse(text: str, name: str = "settings.json") -> Settings:
    """The text of a settings file -> Settings; or SettingsError. `name` is the file's, for errors."""
    if len(text.encode()) > MAX_BYTES:
        raise SettingsError("%s: %d bytes; at most %d are read" % (name, len(text.encode()), MAX_BYTES))
    try:
        values = json.loads(text)
        if isinstance(values, dict):
            # MicroPython takes one without an end: a file cut off before "ceiling" would leave the default.
            check_object(text.encode())
    except (ValueError, RuntimeError) as e:
        raise SettingsError("%s: not JSON (%s)" % (name, e))
    if not isinstance(values, dict):
        raise SettingsError("%s: it must be one JSON object" % name)
    # A file of another version has other keys: that is the first thing to say.
    checked = _checked({"version": values.get("version")}, {"version": _KEYS["version"]}, name, "")
    checked.update(_checked(values, _KEYS, name, ""))
    if checked["wifi"] is not None:
        checked["wifi"] = _checked(checked["wifi"], _WIFI_KEYS, name, "wifi.")
    if checked["update"] is not None:
        checked["update"] = _update(_checked(checked["update"], _UPDATE_KEYS, name, "update."), checked, name)
    _check_pinned(checked, _LINK_SCHEMES, name, "")
    return Settings(checked, split_url(checked["url"]))


def _update(values: dict, link: dict, name: str) -> UpdateServer:
    """The update server's settings, the link's put in where they are the same."""
    given = [key for key in _OWN if values[key]]
    if not given:
        values.update({key: link[key] for key in _OWN})
    elif not values["token"]:
        # Whoever stands behind another name or authority is somebody else: the hub's token is not for them.
        raise SettingsError(
            "%s: update.token is empty, but update.%s is not; an update server of its own has its own token, "
            "and one that is the hub has none of %s" % (name, given[0], ", ".join(_OWN))
        )
    _check_pinned(values, _UPDATE_SCHEMES, name, "update.")
    return UpdateServer(values, split_url(values["url"], _UPDATE_SCHEMES))


def _check_pinned(values: dict, schemes: tuple, name: str, prefix: str) -> None:
    """SettingsError unless a url with TLS comes with the authority and the name to check."""
    if split_url(values["url"], schemes)[0] != schemes[1]:
        return
    for key in ("ca", "server_name"):
        if not values[key]:
            raise SettingsError(
                "%s: %s%s is empty; %s %s:// url needs the %s's certificate authority and its fixed name"
                % (name, prefix, key, "an" if prefix else "a", schemes[1], "server" if prefix else "hub")
            )
    if "-----BEGIN CERTIFICATE-----" not in values["ca"]:
        raise SettingsError(
            "%s: %sca is not a PEM certificate (-----BEGIN CERTIFICATE-----)" % (name, prefix)
        )


def load(path: str = "settings.json") -> Settings:
    """Read and check a settings file; SettingsError when it is missing or wrong."""
    try:
        with open(path) as f:
            text = f.read(MAX_BYTES + 1)
    except (OSError, ValueError) as e:
        raise SettingsError("%s: cannot be read (%s)" % (path, e))
    return parse(text, path)


def load_board(name: str):
    """The module of a board's pins; SettingsError when there is none of that name."""
    try:
        return getattr(__import__("boards." + name), name)
    except ImportError:
        raise SettingsError("settings.json: board is %r; there is no boards/%s.py" % (name, name))
