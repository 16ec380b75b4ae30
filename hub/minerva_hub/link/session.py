"""The hub's side of the link as a state machine: frames in, checked messages out. No I/O, no clock."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from minerva import messages, wire

from minerva_hub.errors import PeerError


class State(Enum):
    """Where a link is."""

    GREETING = "before hello"
    CHECKING = "between hello and welcome"
    LIVE = "live"
    CLOSED = "closed"


# (state, message type) -> next state; a pair that is missing is an unexpected message.
TRANSITIONS = {
    (State.GREETING, "hello"): State.CHECKING,
    (State.CHECKING, "error"): State.CHECKING,
    (State.LIVE, "health"): State.LIVE,
    (State.LIVE, "level"): State.LIVE,
    (State.LIVE, "event"): State.LIVE,
    (State.LIVE, "mute"): State.LIVE,
    (State.LIVE, "update"): State.LIVE,
    (State.LIVE, "error"): State.LIVE,
}


class Packet(NamedTuple):
    """A media packet as wire.decode_media gives it."""

    kind: int
    flags: int
    stream: int
    frames: int
    seq: int
    time_ms: int
    payload: memoryview


class LinkSession:
    """One connection of a device."""

    def __init__(self) -> None:
        self.state = State.GREETING
        self.who = "a device that did not say hello"

    def receive_text(self, data: str) -> dict[str, Any]:
        """A text frame -> its checked message. PeerError as docs/protocol.md says."""
        try:
            message: dict[str, Any] = messages.decode_message(data, messages.FROM_DEVICE)
        except wire.WireError as e:
            raise PeerError(e.code, f"{self.who}: {e.message}") from e
        after = TRANSITIONS.get((self.state, message["type"]))
        if after is None:
            raise PeerError("unexpected_message", f"{self.who}: {message['type']} while {self.state.value}")
        self.state = after
        if message["type"] == "hello":
            self.who = message["device"]
            self._check_modes(message)
        return message

    def _check_modes(self, hello: dict[str, Any]) -> None:
        """A device in a mode that it says it has not, or may not have, would be heard by no known rule."""
        mode, modes, ceiling = hello["mode"], hello["modes"], hello["ceiling"]
        if mode not in modes:
            raise PeerError(
                "bad_field",
                f"{self.who}: hello.mode is {mode}; it must be one of its modes, {', '.join(modes)}",
            )
        if wire.MODES.index(mode) > wire.MODES.index(ceiling):
            raise PeerError("above_ceiling", f"{self.who}: hello.mode is {mode}; its ceiling is {ceiling}")

    def receive_binary(self, data: bytes) -> Packet:
        """A binary frame -> its packet. PeerError as docs/protocol.md says."""
        if self.state is not State.LIVE:
            raise PeerError("unexpected_message", f"{self.who}: media while {self.state.value}")
        try:
            packet = Packet._make(wire.decode_media(data))
        except wire.WireError as e:
            raise PeerError(e.code, f"{self.who}: {e.message}") from e
        if packet.stream != 0:
            raise PeerError(
                "bad_media", f"{self.who}: stream {packet.stream}; only 0, the microphone, is known"
            )
        return packet

    def welcomed(self) -> None:
        """The hub answered welcome."""
        self.state = State.LIVE
