"""The text of a conversation to render: who says what, in which room, in which order.

A script is UTF-8 text, one thing a line:

    # a comment
    [Kitchen]                 the lines that follow are spoken in this room
    A: Good morning.          speaker A says this; a speaker is any short name
    (pause 2.5)               quiet, in seconds, before the next line
    (noise on)  (noise off)   louder background noise in this room from here on, until here
    (meanwhile)               the next line begins together with the one before it

Lines without a speaker are spoken by A and B in turns. Without any [room] heading the first two speakers are
in the Kitchen and every other one in the Study. Lines follow each other through all rooms on one clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from minerva_hub.errors import UserError

MAX_LINES = 2000  # a conversation of about two hours
MAX_TEXT = 1000  # characters of one line: over a minute of speech
MAX_NAME = 40
MAX_PAUSE_S = 600.0
DEFAULT_ROOMS = ("Kitchen", "Kitchen", "Study")

_ROOM = re.compile(r"\[([^\[\]]*)\]")
_NOTE = re.compile(r"\(\s*(pause|noise|meanwhile)\b\s*([^()]*)\)", re.IGNORECASE)
_SPOKEN = re.compile(r"([A-Za-z0-9][\w .'-]{0,39}?)\s*:\s+(.*)")


class ScriptError(UserError):
    """A script cannot be used; names the file, the line and what is allowed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One spoken line; `pause_s` is None where the renderer chooses the pause before it."""

    room: str
    speaker: str
    text: str
    pause_s: float | None = None
    meanwhile: bool = False


@dataclass(frozen=True, slots=True)
class Noise:
    """Background noise of `room` switched on or off before line number `before` (0 is the first)."""

    room: str
    before: int
    on: bool


@dataclass(frozen=True, slots=True)
class Script:
    """What is said, in order, and when the background is loud."""

    lines: tuple[Line, ...]
    noise: tuple[Noise, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers in order of their first line."""
        return tuple(dict.fromkeys(line.speaker for line in self.lines))

    @property
    def rooms(self) -> tuple[str, ...]:
        """Rooms in order of their first line."""
        return tuple(dict.fromkeys(line.room for line in self.lines))


def read_script(path: Path) -> Script:
    """The script in the file; ScriptError when it is missing, not text, or not a script."""
    try:
        return parse_script(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: is not UTF-8 text (byte {error.start})") from error


def parse_script(text: str, *, name: str = "script") -> Script:
    """The script in `text`; ScriptError names `name`, the line and what is allowed."""
    state = _Parser(name)
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            state.feed(number, line)
    if not state.lines:
        raise ScriptError(f"{name}: nobody says anything; write lines like 'A: Good morning.'")
    return Script(tuple(state.lines), tuple(state.noise))


@dataclass
class _Parser:
    name: str
    lines: list[Line] = field(default_factory=list)
    noise: list[Noise] = field(default_factory=list)
    room: str | None = None
    pause_s: float | None = None
    meanwhile: bool = False

    def feed(self, number: int, line: str) -> None:
        where = f"{self.name}:{number}"
        if heading := _ROOM.fullmatch(line):
            self.room = _bounded(where, "room", heading[1].strip(), MAX_NAME)
        elif note := _NOTE.fullmatch(line):
            self._note(where, note[1].lower(), note[2].strip().lower())
        elif line[0] in "[(":
            raise ScriptError(
                f"{where}: {line!r} is not a heading or note; "
                "allowed are [Room], (pause SECONDS), (noise on), (noise off), (meanwhile)"
            )
        else:
            self._spoken(where, line)

    def _note(self, where: str, word: str, value: str) -> None:
        if word == "pause":
            try:
                self.pause_s = float(value)
            except ValueError:
                raise ScriptError(f"{where}: (pause {value}) needs a number of seconds") from None
            if not 0 <= self.pause_s <= MAX_PAUSE_S:
                raise ScriptError(f"{where}: a pause is 0 to {MAX_PAUSE_S:g} s, not {value}")
        elif word == "noise":
            if value not in ("on", "off"):
                raise ScriptError(f"{where}: noise is 'on' or 'off', not {value!r}")
            self.noise.append(Noise(self.room or DEFAULT_ROOMS[0], len(self.lines), value == "on"))
        else:
            self.meanwhile = True

    def _spoken(self, where: str, line: str) -> None:
        if len(self.lines) >= MAX_LINES:
            raise ScriptError(f"{where}: a script has at most {MAX_LINES} spoken lines")
        if match := _SPOKEN.fullmatch(line):
            speaker, text = match[1].strip(), match[2].strip()
        else:
            speaker, text = "AB"[len(self.lines) % 2], line
        text = _bounded(where, "text", text, MAX_TEXT)
        if not re.search(r"\w", text):
            raise ScriptError(f"{where}: {text!r} has nothing that can be spoken")
        room = self.room or self._default_room(speaker)
        self.lines.append(Line(room, speaker, text, self.pause_s, self.meanwhile))
        self.pause_s, self.meanwhile = None, False

    def _default_room(self, speaker: str) -> str:
        known = list(dict.fromkeys([*(line.speaker for line in self.lines), speaker]))
        return DEFAULT_ROOMS[min(known.index(speaker), len(DEFAULT_ROOMS) - 1)]


def _bounded(where: str, what: str, value: str, limit: int) -> str:
    if not value:
        raise ScriptError(f"{where}: the {what} is empty")
    if len(value) > limit:
        raise ScriptError(f"{where}: {what} of {len(value)} characters exceeds the limit of {limit}")
    return value
