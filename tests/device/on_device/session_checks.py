import json

from minerva.messages import FROM_DEVICE, decode_message
from minerva.privacy import Privacy
from minerva.session import CLOSED, GREETING, LIVE, Session
from minerva.wire import MAX_MEDIA, MODES, PROTOCOL

WELCOME = {
    "type": "welcome",
    "protocol": PROTOCOL,
    "hub": "h",
    "utc_ms": 0,
    "mode": "speech",
    "mute": False,
    "kind": "ima_adpcm",
    "frames": 5,
}


def greeting(ceiling="speech", muted="off"):
    s = Session(
        {
            "device": "kitchen",
            "token": "t",
            "boot_id": "0123456789abcdef",
            "firmware": {"name": "minerva", "version": "0", "variant": "x", "board": "b"},
            "slot": "main",
            "kinds": ["ima_adpcm", "pcm_s16le"],
        },
        Privacy(ceiling, ("mute", "events", "speech", "full"), muted=muted),
    )
    assert s.state == CLOSED
    hello = decode_message(s.open(1 << 33), FROM_DEVICE)
    assert (hello["time_ms"], hello["ceiling"], hello["mute"]) == (1 << 33, ceiling, muted)
    assert s.state == GREETING
    return s


def welcome(**changes):
    message = dict(WELCOME)
    message.update(changes)
    return message


def live(ceiling="speech", muted="off", **changes):
    s = greeting(ceiling, muted)
    hear(s, welcome(**changes))
    assert s.state == LIVE
    s.take_outgoing()
    return s


def hear(s, message):
    return s.receive_text(json.dumps(message))


def answers(s):
    """What it says, each a message that a hub accepts."""
    return [decode_message(t, FROM_DEVICE) for t in s.take_outgoing()]


def codes(s):
    return [(a["code"], a["fatal"]) for a in answers(s) if a["type"] == "error"]


def check_welcome():
    s = greeting()
    events = hear(s, welcome(resume={"stream": 0, "seq": 0xFFFFFFFF}))
    assert [e[0] for e in events] == ["welcome"]
    assert (s.state, s.kind, s.frames, s.resume) == (LIVE, "ima_adpcm", 5, (0, 0xFFFFFFFF))
    assert answers(s) == []
    s.open(5)
    assert s.state == GREETING and s.resume is None


def check_welcome_that_asks_for_less():
    s = greeting()
    events = hear(s, welcome(mode="events", mute=True, kind="logmel_u8"))
    assert events[1:] == [("mode", "events"), ("muted", "hub")]
    assert s.kind == "ima_adpcm"
    said = answers(s)
    assert [a.get("code") or a.get("state") for a in said] == ["unknown_kind", "hub"]
    assert s.state == LIVE


def check_config():
    s = live()
    events = hear(s, {"type": "config", "mode": "events", "kind": "pcm_s16le", "frames": 1})
    assert [e[0] for e in events] == ["config", "mode"]
    assert (s.kind, s.frames, s.privacy.mode) == ("pcm_s16le", 1, "events")
    assert answers(s) == []
    assert [e[0] for e in hear(s, {"type": "config"})] == ["config"]
    assert (s.kind, s.frames, s.privacy.mode) == ("pcm_s16le", 1, "events")
    hear(s, {"type": "config", "kind": "logmel_u8"})
    assert codes(s) == [("unknown_kind", False)] and s.kind == "pcm_s16le"


def check_hub_mute():
    s = live()
    for on, state, changed in ((True, "hub", True), (True, "hub", False), (False, "off", True)):
        events = hear(s, {"type": "mute", "on": on})
        assert events == ([("muted", state)] if changed else [])
        assert answers(s) == [{"type": "mute", "state": state}]
        assert s.privacy.allows("events") == (state == "off")


def check_button_mute():
    s = live()
    assert s.button() == "button"
    assert answers(s) == [{"type": "mute", "state": "button"}]
    for what in ("audio", "features", "events"):
        assert not s.privacy.allows(what)
    assert hear(s, {"type": "mute", "on": False}) == []
    assert codes(s) == [("muted_at_button", False)]
    assert hear(s, {"type": "mute", "on": True}) == []
    hear(s, {"type": "config", "mode": "speech"})
    assert s.privacy.effective == "mute"
    assert s.button() == "off"
    assert s.privacy.effective == "speech"


def check_a_button_mute_outlives_the_link_and_is_said_in_hello():
    s = live()
    s.lost()
    assert s.button() == "button"
    assert s.take_outgoing() == []  # nobody listens; the next hello says it
    assert decode_message(s.open(9), FROM_DEVICE)["mute"] == "button"
    assert [e[0] for e in hear(s, welcome())] == ["welcome"]
    assert codes(s) == [] and s.privacy.effective == "mute"


def check_acks():
    s = live()
    assert hear(s, {"type": "ack", "seq": 0xFFFFFFFF}) == [("ack", 0, 0xFFFFFFFF)]
    assert hear(s, {"type": "ack", "stream": 3, "seq": 0, "health": 7}) == [
        ("ack", 3, 0),
        ("health_ack", 7),
    ]
    assert hear(s, {"type": "ack"}) == []
    assert s.state == LIVE and answers(s) == []


def check_errors_of_the_hub():
    said = {"type": "error", "code": "too_fast", "message": "m", "fatal": False}
    s = live()
    assert [e[0] for e in hear(s, said)] == ["error"]
    assert s.state == LIVE
    said["fatal"] = True
    for s in (live(), greeting()):
        assert hear(s, said)[-1] == ("closed", "too_fast", "m")
        assert s.state == CLOSED and answers(s) == []
        assert hear(s, welcome()) == []  # nothing opens it but open()
        assert s.state == CLOSED


def check_what_this_device_cannot_do_is_said():
    s = live()
    hear(s, {"type": "play", "action": "start", "stream": 128, "kind": "pcm_s16le"})
    hear(s, {"type": "play", "action": "stop", "stream": 128, "kind": "pcm_s16le"})
    hear(s, {"type": "update", "action": "check"})
    assert codes(s) == [("unsupported_play", False), ("unsupported_update", False)]
    assert s.state == LIVE


def check_a_device_with_an_updater_is_told_to_ask():
    s = live()
    s.updates = True
    assert hear(s, {"type": "update", "action": "check"}) == [("check",)]
    assert codes(s) == []


def check_unexpected_messages_end_the_link():
    for message in (
        {"type": "config", "mode": "mute"},
        {"type": "ack", "seq": 1},
        {"type": "mute", "on": True},
        {"type": "play", "action": "start", "stream": 1, "kind": "pcm_s16le"},
        {"type": "update", "action": "check"},
    ):
        s = greeting()
        assert hear(s, message)[0][:2] == ("closed", "unexpected_message"), message
        assert codes(s) == [("unexpected_message", True)] and s.state == CLOSED
        assert (s.privacy.mode, s.privacy.muted) == ("speech", "off")
    s = live()
    assert hear(s, welcome())[0][:2] == ("closed", "unexpected_message")


def check_an_unknown_version_ends_it_whoever_finds_it():
    for version in (2, 255):
        s = greeting()
        # A later welcome may have other fields: its version is judged before them.
        events = hear(s, {"type": "welcome", "protocol": version})
        assert events[0][:2] == ("closed", "unsupported_version")
        said = answers(s)
        assert [a["code"] for a in said] == ["unsupported_version"]
        assert said[0]["supported"] == [PROTOCOL] and said[0]["fatal"]
        assert s.state == CLOSED
    s = greeting()
    refused = {
        "type": "error",
        "code": "unsupported_version",
        "message": "m",
        "fatal": True,
        "supported": [2],
    }
    assert hear(s, refused)[-1][:2] == ("closed", "unsupported_version")
    assert s.state == CLOSED and answers(s) == []


def check_what_is_not_a_message_ends_it():
    for text, code in (
        ('{"type":"mute","on":false', "bad_json"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":"mute","on":1}', "bad_field"),
        ('{"type":"mute","on":true,"x":"' + "x" * 4096 + '"}', "too_long"),
    ):
        s = live()
        assert s.receive_text(text)[0][:2] == ("closed", code), text[:40]
        assert codes(s) == [(code, True)]
        assert s.privacy.muted == "off"


def check_media_from_the_hub_is_refused():
    for size, code in ((12, "forbidden_media"), (MAX_MEDIA + 1, "too_long")):
        s = live()
        assert s.receive_binary(bytes(size))[0][:2] == ("closed", code)
        assert codes(s) == [(code, True)]
        assert s.receive_binary(b"") == []


def check_no_order_of_a_hostile_hub_opens_it_above_its_ceiling():
    for at, ceiling in enumerate(MODES):
        for wanted in MODES[at + 1 :]:
            s = greeting(ceiling)
            hear(s, welcome(mode=wanted))
            hear(s, {"type": "mute", "on": True})
            hear(s, {"type": "mute", "on": False})
            hear(s, {"type": "config", "mode": wanted})
            got = s.privacy.effective
            assert MODES.index(got) <= at, (ceiling, wanted, got)
            assert [c for c in codes(s) if c[0] == "above_ceiling"] == [("above_ceiling", False)] * 2
            assert s.state == LIVE
            s.lost()
            s.open(1)
            hear(s, welcome(mode=wanted))
            assert s.privacy.effective == got
