import json

from minerva import led
from minerva.privacy import Privacy
from minerva.session import Session
from minerva.wire import MODES

HAVE = ("mute", "events", "speech", "full")


def session(ceiling="speech", muted="off"):
    s = Session(
        {
            "device": "kitchen",
            "token": "t",
            "boot_id": "0123456789abcdef",
            "firmware": {"name": "minerva", "version": "0", "variant": "x", "board": "b"},
            "slot": "main",
            "kinds": ["ima_adpcm", "pcm_s16le"],
        },
        Privacy(ceiling, HAVE, muted=muted),
    )
    s.open(0)
    say(
        s, type="welcome", protocol=1, hub="h", utc_ms=0, mode=ceiling, mute=False, kind="ima_adpcm", frames=3
    )
    s.take_outgoing()
    return s


def say(s, **message):
    return s.receive_text(json.dumps(message))


def answers(s):
    return [json.loads(t) for t in s.take_outgoing()]


def check_no_order_raises_a_device_above_its_ceiling():
    for ceiling in MODES:
        for wanted in MODES:
            s = session(ceiling)
            before = s.privacy.effective
            say(s, type="config", mode=wanted)
            got = s.privacy.effective
            assert MODES.index(got) <= MODES.index(ceiling), (ceiling, wanted, got)
            codes = [a["code"] for a in answers(s) if a["type"] == "error"]
            if MODES.index(wanted) > MODES.index(ceiling):
                assert codes == ["above_ceiling"], (ceiling, wanted, codes)
                assert got == before
            elif wanted == "features":
                assert codes == ["unsupported_mode"]
                assert got == "events"
            else:
                assert codes == []
                assert got == wanted


def check_a_device_lowered_by_the_hub_can_be_raised_to_its_ceiling_again():
    s = session("speech")
    say(s, type="config", mode="events")
    assert s.privacy.effective == "events"
    say(s, type="config", mode="speech")
    assert s.privacy.effective == "speech"


def check_nothing_the_hub_says_ends_a_mute_from_the_button():
    s = session()
    assert s.button() == "button"
    s.take_outgoing()
    say(s, type="mute", on=False)
    assert s.privacy.muted == "button"
    said = answers(s)
    assert [a["code"] for a in said if a["type"] == "error"] == ["muted_at_button"]
    say(s, type="mute", on=True)
    say(s, type="mute", on=False)
    say(s, type="config", mode="full")
    say(s, type="config", mode="speech")
    s.lost()
    s.open(5)
    say(
        s,
        type="welcome",
        protocol=1,
        hub="h",
        utc_ms=0,
        mode="speech",
        mute=False,
        kind="ima_adpcm",
        frames=3,
    )
    assert s.privacy.effective == "mute"
    assert not s.privacy.allows("audio") and not s.privacy.allows("events")
    assert s.button() == "off"
    assert s.privacy.effective == "speech"


def check_a_press_while_the_hub_mutes_keeps_it_muted():
    s = session()
    say(s, type="mute", on=True)
    assert s.privacy.muted == "hub"
    assert s.button() == "button"
    assert s.privacy.effective == "mute"


def check_lights():
    assert led.state(True, True, True, True, True) == led.MUTED
    assert led.state(False, False, False, False, False) == led.STARTING
    assert led.state(True, True, False, False, False) == led.ERROR
    assert led.state(True, False, False, False, True) == led.OFFLINE
    assert led.state(True, False, False, True, False) == led.LISTENING
    assert led.state(True, False, False, True, True) == led.HEARING
    colours = set()
    rhythms = set()
    for name in led.PATTERNS:
        colour, on_ms, off_ms = led.PATTERNS[name]
        assert on_ms + off_ms >= 1000
        assert led.is_on(name, 0)
        assert led.is_on(name, on_ms + 1) == (off_ms == 0)
        colours.add(colour)
        rhythms.add((on_ms, off_ms))
    # Either alone tells the state.
    assert len(colours) == 6
    assert len(rhythms) == 6
