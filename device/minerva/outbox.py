"""Control messages that wait for the link: bounded, and what tells of sound can be forgotten. Pure."""

from minerva.port import const

_MAX_MESSAGES = const(16)  # levels and health of a stalled link are soon stale


class Outbox:
    """Oldest first. `dropped` counts what gave way to newer messages, and what a mute made it forget."""

    def __init__(self):
        self.dropped = 0
        self._items = []  # (whether it tells of sound, text)

    def __len__(self) -> int:
        return len(self._items)

    def post(self, text: str, heard: bool = False) -> None:
        """Queue a message, which tells of sound if `heard`; the oldest gives way, and is counted."""
        if len(self._items) >= _MAX_MESSAGES:
            self._items.pop(0)
            self.dropped += 1
        self._items.append((heard, text))

    def take(self) -> "tuple[bool, str]":
        """The oldest: (heard, text). Not when empty."""
        return self._items.pop(0)

    def forget_heard(self) -> None:
        """Drop, counted, what tells of sound; the rest still goes out."""
        kept = [item for item in self._items if not item[0]]
        self.dropped += len(self._items) - len(kept)
        self._items = kept

    def clear(self) -> None:
        """A new connection: what waited for the old one is stale."""
        self.forget_heard()
        self._items = []
