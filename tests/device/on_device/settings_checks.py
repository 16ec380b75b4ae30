import json

from minerva.errors import SettingsError
from minerva.settings import is_loopback, parse, split_url

GOOD = {
    "version": 1,
    "device": "kitchen",
    "board": "virtual",
    "url": "ws://127.0.0.1:8484/link",
    "token": "secret-token",
}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECURE = {"url": "wss://10.0.0.2:8484/link", "ca": PEM, "server_name": "hub-1.minerva"}

UPDATE = {"url": "http://127.0.0.1:8484/default/controller/v1/kitchen"}
OWN = {"url": "https://10.0.0.9/t/controller/v1/k", "server_name": "updates", "ca": PEM, "token": "other"}


def but(values, **changes):
    return {"update": dict(values, **changes)}


# changes to GOOD -> what the error must hold, beside the file's name
REFUSED = (
    ({"version": 2}, ("version", "2", "1")),
    ({"version": None}, ("version",)),
    ({"version": True}, ("version",)),
    ({"celing": "events"}, ("celing", "ceiling")),
    ({"ceiling": "loud"}, ("ceiling", "loud", "mute, events, features, speech, full")),
    ({"ceiling": 3}, ("ceiling", "3")),
    ({"device": "Kitchen 1"}, ("device", "Kitchen 1", "a-z")),
    ({"device": "x" * 33}, ("device", "32")),
    ({"device": None}, ("device", "missing")),
    ({"board": "../evil"}, ("board", "../evil")),
    ({"token": ""}, ("token", "1 to 128")),
    ({"token": None}, ("token", "missing")),
    ({"url": "http://127.0.0.1/"}, ("url", "http://127.0.0.1/", "wss://")),
    ({"url": "ws://192.168.1.5:8484/link"}, ("url", "192.168.1.5", "wss://", "loopback")),
    ({"url": "ws://hub.local/link"}, ("url", "hub.local", "loopback")),
    ({"url": "ws://127.0.0.1.evil.com/"}, ("url", "loopback")),
    ({"url": "ws://127.0.0.1:99999/"}, ("url", "65535")),
    ({"url": "ws://127.0.0.1:x/"}, ("url", "65535")),
    ({"url": "ws://127.0.0.1/a b"}, ("url", "spaces")),
    ({"url": "ws://127.0.0.1/\r\nX-Evil: 1"}, ("url",)),
    ({"url": "ws://localhost@evil.com/"}, ("url",)),
    ({"url": 5}, ("url", "5")),
    ({"gain_db": 49}, ("gain_db", "49", "-12 to 48")),
    ({"gain_db": "24"}, ("gain_db", "24")),
    ({"gain_db": True}, ("gain_db",)),
    ({"ring_bytes": 100}, ("ring_bytes", "100", "8192")),
    ({"ring_bytes": 1 << 24}, ("ring_bytes", "4194304")),
    ({"ring_bytes": 9000.5}, ("ring_bytes", "9000.5")),
    ({"wifi": "home"}, ("wifi", "home")),
    ({"wifi": {"ssid": ""}}, ("wifi.ssid", "1 to 32")),
    ({"wifi": {"password": "x"}}, ("wifi.ssid", "missing")),
    ({"wifi": {"ssid": "a", "pasword": "x"}}, ("wifi.pasword", "password")),
    ({"url": SECURE["url"], "ca": PEM}, ("server_name",)),
    ({"url": SECURE["url"], "server_name": "h"}, ("ca",)),
    ({"url": SECURE["url"], "server_name": "h", "ca": "x"}, ("ca", "PEM")),
    ({"update": "http://127.0.0.1/"}, ("update", "an object with url")),
    ({"update": {}}, ("update.url", "missing")),
    (but(UPDATE, tenant="x"), ("update.tenant", "ca, server_name, token, url")),
    (but(UPDATE, url="ws://127.0.0.1/link"), ("update.url", "ws://127.0.0.1/link", "https:// or http://")),
    (but(UPDATE, url="http://10.0.0.2/x"), ("update.url", "https:// beyond loopback")),
    (but(UPDATE, url="https://10.0.0.2/x"), ("update.ca", "empty")),
    (but(UPDATE, server_name="other"), ("update.token", "update.server_name")),
    (but(UPDATE, ca=PEM), ("update.token", "update.ca")),
    (but(OWN, token=""), ("update.token", "update.server_name")),
    (but(OWN, ca=""), ("update.ca",)),
    (but(OWN, server_name=""), ("update.server_name",)),
    (but(OWN, ca="x"), ("update.ca", "PEM")),
    (but(OWN, token="x" * 129), ("update.token", "not shown")),
)


def text(changes):
    values = dict(GOOD)
    values.update(changes)
    return json.dumps({k: values[k] for k in values if values[k] is not None})


def refusal(content):
    try:
        parse(content, "flash/settings.json")
    except SettingsError as e:
        return str(e)
    raise AssertionError("accepted: %s" % content)


def check_defaults():
    s = parse(text({}))
    assert (s.scheme, s.host, s.port, s.path) == ("ws", "127.0.0.1", 8484, "/link")
    assert (s.ceiling, s.gain_db, s.ring_bytes, s.wifi, s.ca) == ("speech", 24, 0, None, "")


def check_everything_given():
    s = parse(
        text(
            dict(
                SECURE, ceiling="events", gain_db=30.5, ring_bytes=49152, wifi={"ssid": "a", "password": "b"}
            )
        )
    )
    assert (s.scheme, s.host, s.server_name) == ("wss", "10.0.0.2", "hub-1.minerva")
    assert (s.ceiling, s.gain_db, s.ring_bytes) == ("events", 30.5, 49152)
    assert s.wifi == {"ssid": "a", "password": "b"}


def check_the_update_server_is_the_hub_unless_it_says_otherwise():
    assert parse(text({})).update is None
    u = parse(text({"update": UPDATE})).update
    assert (u.scheme, u.host, u.port, u.path) == ("http", "127.0.0.1", 8484, "/default/controller/v1/kitchen")
    assert (u.server_name, u.ca, u.token) == ("", "", "secret-token")
    u = parse(
        text(dict(SECURE, update={"url": "https://10.0.0.2:8443/default/controller/v1/kitchen/"}))
    ).update
    assert (u.scheme, u.host, u.port, u.path) == ("https", "10.0.0.2", 8443, "/default/controller/v1/kitchen")
    assert (u.server_name, u.ca, u.token) == ("hub-1.minerva", PEM, "secret-token")
    u = parse(text(dict(SECURE, update=OWN))).update
    assert (u.host, u.port, u.server_name, u.ca, u.token) == ("10.0.0.9", 443, "updates", PEM, "other")
    u = parse(text({"update": dict(UPDATE, token="other")})).update  # on loopback nothing is to be proved
    assert (u.token, u.ca) == ("other", "")


def check_each_error_names_file_key_value_and_what_is_allowed():
    for changes, parts in REFUSED:
        said = refusal(text(changes))
        assert said.startswith("flash/settings.json: "), said
        for part in parts:
            assert part in said, (part, said)


def check_secrets_are_not_shown():
    assert "x" * 20 not in refusal(text({"token": "x" * 200}))
    assert "y" * 20 not in refusal(text({"wifi": {"ssid": "a", "password": "y" * 100}}))


def check_what_is_not_an_object():
    for content in ("", "{", "[]", "1", "null", '"x"'):
        assert "flash/settings.json" in refusal(content)
    assert "8192" in refusal(" " * 9000)


def check_a_file_that_is_cut_off():
    whole = text({})[:-1] + ', "ceiling": "mute"}'
    for end in range(len(whole)):
        assert "not JSON" in refusal(whole[:end])
    for content in (whole[:-1] + ",}", whole[:-1] + "]", whole + "{}", whole.replace(":", " ", 1)):
        assert "not JSON" in refusal(content)
    assert parse(whole).ceiling == "mute"


def check_urls():
    assert split_url("ws://localhost/") == ("ws", "localhost", 80, "/")
    assert split_url("wss://hub/link") == ("wss", "hub", 443, "/link")
    assert split_url("wss://[::1]:99/x") == ("wss", "::1", 99, "/x")
    assert is_loopback("127.8.9.1")
    assert not is_loopback("128.0.0.1")
    assert not is_loopback("127.0.0.1x")
