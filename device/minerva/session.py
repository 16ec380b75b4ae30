"""The device's side of the link as a state machine: text in, events and text out. Pure.

    session = Session(identity, privacy)
    send(session.open(time_ms, boot_state))      # hello
    for event in session.receive_text(text): ... # what the hub said, already checked
    for text in session.take_outgoing(): send    # refusals and answers the session decided on

Events are tuples whose first item is a name: ("welcome", message), ("config", message), ("mode", mode),
("muted", state), ("ack", stream, seq), ("health_ack", n), ("check",), ("error", message),
("closed", code, text).
After "closed" the connection is to be closed; a new link begins with open().
"""

from minerva.errors import WireError
from minerva.messages import FROM_DEVICE, FROM_HUB, decode_message, encode_message, error_message
from minerva.wire import MAX_MEDIA, PROTOCOL

CLOSED = "closed"
GREETING = "greeting"  # hello sent, welcome not yet received
LIVE = "live"

# (state, message type) -> next state; a pair that is missing is an unexpected message.
TRANSITIONS = {
    (GREETING, "welcome"): LIVE,
    (GREETING, "error"): GREETING,
    (LIVE, "config"): LIVE,
    (LIVE, "ack"): LIVE,
    (LIVE, "mute"): LIVE,
    (LIVE, "play"): LIVE,
    (LIVE, "update"): LIVE,
    (LIVE, "error"): LIVE,
}

# The hub must answer a hello, and later say something (a ping counts), within these times.
WELCOME_TIMEOUT_MS = 10000
SILENCE_TIMEOUT_MS = 45000  # three of the hub's 15 s pings


class Session:
    """One device's link. `identity`, of hello: device, token, boot_id, firmware, slot, kinds.

    `updates`: it has an updater, which may be told to ask its server.
    """

    def __init__(self, identity: dict, privacy, updates: bool = False):
        self.identity = identity
        self.privacy = privacy
        self.updates = updates
        self.state = CLOSED
        self.kind = identity["kinds"][0]
        self.frames = 3
        self.resume = None  # the welcome's resume point: (stream, seq), or None
        self._outgoing = []
        self._health_n = 0
        self._health_acked = -1

    def open(self, time_ms: int) -> str:
        """A new connection stands: the hello to send. `time_ms` is the device time now, not wrapped."""
        self.state = GREETING
        self.resume = None
        self._outgoing = []
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "time_ms": time_ms,
            "modes": list(self.privacy.modes),
            "mode": self.privacy.mode,
            "ceiling": self.privacy.ceiling,
            "mute": self.privacy.muted,
        }
        hello.update(self.identity)
        return encode_message(hello, FROM_DEVICE)

    def lost(self) -> None:
        """The connection is gone."""
        self.state = CLOSED
        self._outgoing = []

    def take_outgoing(self) -> list:
        """Texts to send now, in order; forgotten here."""
        out = self._outgoing
        self._outgoing = []
        return out

    def _say(self, message: dict) -> None:
        self._outgoing.append(encode_message(message, FROM_DEVICE))

    def _refuse(self, code: str, text: str, fatal: bool) -> None:
        self._say(error_message(code, text, fatal))

    def _fail(self, code: str, text: str):
        self._refuse(code, text, True)
        self.state = CLOSED
        return [("closed", code, text)]

    def receive_text(self, data) -> list:
        """A text frame from the hub -> events."""
        if self.state == CLOSED:
            return []
        try:
            message = decode_message(data, FROM_HUB)
        except WireError as e:
            return self._fail(e.code, e.message)
        kind = message["type"]
        after = TRANSITIONS.get((self.state, kind))
        if after is None:
            return self._fail("unexpected_message", "%s while %s" % (kind, self.state))
        self.state = after
        return getattr(self, "_on_" + kind)(message)

    def receive_binary(self, data) -> list:
        """A binary frame from the hub: this device plays nothing yet, so it is refused."""
        if self.state == CLOSED:
            return []
        if len(data) > MAX_MEDIA:
            return self._fail(
                "too_long", "packet of %d bytes exceeds the %d-byte limit" % (len(data), MAX_MEDIA)
            )
        return self._fail("forbidden_media", "media from the hub without a play that this device accepted")

    def _on_welcome(self, message: dict) -> list:
        self.frames = message["frames"]
        if message["kind"] in self.identity["kinds"]:
            self.kind = message["kind"]
        else:
            self._refuse(
                "unknown_kind",
                "this device has no media kind %s; it stays with %s" % (message["kind"], self.kind),
                False,
            )
        resume = message.get("resume")
        self.resume = None if resume is None else (resume["stream"], resume["seq"])
        return (
            [("welcome", message)] + self._set_mode(message["mode"]) + self._set_mute(message["mute"], False)
        )

    def _on_config(self, message: dict) -> list:
        events = []
        if message.get("frames") is not None:
            self.frames = message["frames"]
        kind = message.get("kind")
        if kind is not None:
            if kind in self.identity["kinds"]:
                self.kind = kind
            else:
                self._refuse(
                    "unknown_kind",
                    "this device has no media kind %s; it stays with %s" % (kind, self.kind),
                    False,
                )
        if message.get("mode") is not None:
            events = self._set_mode(message["mode"])
        return [("config", message)] + events

    def _set_mode(self, mode: str) -> list:
        changed, code, text = self.privacy.ask(mode)
        if code:
            self._refuse(code, text, False)
        return [("mode", self.privacy.mode)] if changed else []

    def _set_mute(self, on: bool, explicit: bool) -> list:
        changed, code, text = self.privacy.hub_mute(on)
        if code and explicit:
            self._refuse(code, text, False)
        if changed or explicit:
            self._say({"type": "mute", "state": self.privacy.muted})
        return [("muted", self.privacy.muted)] if changed else []

    def _on_mute(self, message: dict) -> list:
        return self._set_mute(message["on"], True)

    def _on_ack(self, message: dict) -> list:
        events = []
        if message.get("seq") is not None:
            events.append(("ack", message.get("stream") or 0, message["seq"]))
        if message.get("health") is not None:
            self._health_acked = message["health"]
            events.append(("health_ack", message["health"]))
        return events

    def _on_play(self, message: dict) -> list:
        if message["action"] == "start":
            self._refuse("unsupported_play", "this device has no speaker", False)
        return []

    def _on_update(self, message: dict) -> list:
        if self.updates:
            return [("check",)]
        self._refuse("unsupported_update", "this device's settings name no update server", False)
        return []

    def _on_error(self, message: dict) -> list:
        if message["fatal"]:
            self.state = CLOSED
            return [("error", message), ("closed", message["code"], message["message"])]
        return [("error", message)]

    def button(self) -> str:
        """The button was pressed: returns the new mute state; the hub is told when it listens."""
        state = self.privacy.button()
        if self.state == LIVE:
            self._say({"type": "mute", "state": state})
        return state

    def health(self, fields: dict) -> str:
        """A health message; `fields` are time_ms, uptime_s, rssi, heap_free, drops, version, noise_db."""
        message = {
            "type": "health",
            "n": self._health_n,
            "slot": self.identity["slot"],
            "mode": self.privacy.mode,
            "mute": self.privacy.muted,
            "kind": self.kind,
        }
        message.update(fields)
        self._health_n = (self._health_n + 1) & 0xFFFFFFFF
        return encode_message(message, FROM_DEVICE)

    def message(self, kind: str, fields: dict) -> str:
        """A `level`, `event` or `update` message as text."""
        out = {"type": kind}
        out.update(fields)
        return encode_message(out, FROM_DEVICE)
