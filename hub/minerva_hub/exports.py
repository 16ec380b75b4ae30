"""A session as a file: plain text, subtitles (SRT, WebVTT), JSON, and RTTM. Pure: records in, text out."""

from __future__ import annotations

import json
import re
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

from minerva_hub.events import Session, Utterance, Word

Format = Literal["txt", "srt", "vtt", "json", "rttm"]
FORMATS: tuple[Format, ...] = get_args(Format)

LINE_CHARS = 42  # of a subtitle line, the usual limit for reading on a screen
CUE_CHARS = 2 * LINE_CHARS  # two lines
MIN_CUE_MS = 40  # a cue shorter than a video frame is never shown


@dataclass(frozen=True)
class Export:
    """A file to offer: its name, media type and text."""

    filename: str
    content_type: str
    body: str


@dataclass(frozen=True)
class Cue:
    """A subtitle: times in ms since the session's start, the speaker, up to about two lines of text."""

    start_ms: int
    end_ms: int
    speaker: str
    text: str


def export(
    session: Session, utterances: Sequence[Utterance], fmt: Format, *, name: str | None = None
) -> Export:
    """The session in a format; times count from its start (JSON holds the records, in UTC).

    `name`, where the session stands for an audio file, replaces place and date in titles and file names.
    """
    if fmt not in _WRITERS:
        raise ValueError(f"format {fmt!r} is not one of {', '.join(FORMATS)}")
    content_type, write = _WRITERS[fmt]
    ordered = sorted(utterances, key=lambda u: (u.start_ms, u.id))
    body = write(session, ordered, name)
    return Export(f"{_stem(session, name)}.{fmt}", content_type, body)


def cues(session: Session, utterances: Sequence[Utterance]) -> list[Cue]:
    """The utterances as subtitles, long ones split between words."""
    made = []
    for utterance in utterances:
        for group in _grouped(_timed_words(utterance)):
            start_ms = max(0, group[0].start_ms - session.start_ms)
            end_ms = max(start_ms + MIN_CUE_MS, group[-1].end_ms - session.start_ms)
            made.append(Cue(start_ms, end_ms, _line(utterance.speaker), " ".join(w.text for w in group)))
    return made


def _txt(session: Session, utterances: Sequence[Utterance], name: str | None) -> str:
    began = datetime.fromtimestamp(session.start_ms / 1000, UTC)
    lines = [name or f"{_line(session.room) or session.device}, {began:%Y-%m-%d %H:%M} UTC", ""]
    lines += [
        f"[{_clock(u.start_ms - session.start_ms, '.')[:8]}] {_line(u.speaker)}: {_line(u.text)}"
        for u in utterances
    ]
    return "\n".join(lines) + "\n"


def _srt(session: Session, utterances: Sequence[Utterance], name: str | None) -> str:
    blocks = []
    for number, cue in enumerate(cues(session, utterances), 1):
        span = f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}"
        blocks.append(f"{number}\n{span}\n{_wrap(f'{cue.speaker}: {cue.text}')}\n")
    return "\n".join(blocks)


def _vtt(session: Session, utterances: Sequence[Utterance], name: str | None) -> str:
    blocks = ["WEBVTT\n"]
    for cue in cues(session, utterances):
        span = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        blocks.append(f"{span}\n<v {_escape(cue.speaker)}>{_escape(_wrap(cue.text))}\n")
    return "\n".join(blocks)


def _json(session: Session, utterances: Sequence[Utterance], name: str | None) -> str:
    records = {"session": msgspec.to_builtins(session), "utterances": msgspec.to_builtins(utterances)}
    return json.dumps(records, ensure_ascii=False, indent=2) + "\n"


def _rttm(session: Session, utterances: Sequence[Utterance], name: str | None) -> str:
    file_id = _stem(session, name)
    lines = []
    for u in utterances:
        start_ms = max(0, u.start_ms - session.start_ms)
        duration_ms = max(0, u.end_ms - session.start_ms - start_ms)
        label = re.sub(r"\s+", "_", u.speaker.strip()) or "unknown"
        lines.append(
            f"SPEAKER {file_id} 1 {start_ms / 1000:.3f} {duration_ms / 1000:.3f}"
            f" <NA> <NA> {label} <NA> <NA>\n"
        )
    return "".join(lines)


_Writer = Callable[[Session, Sequence[Utterance], str | None], str]
_WRITERS: dict[str, tuple[str, _Writer]] = {
    "txt": ("text/plain; charset=utf-8", _txt),
    "srt": ("application/x-subrip; charset=utf-8", _srt),
    "vtt": ("text/vtt; charset=utf-8", _vtt),
    "json": ("application/json", _json),
    "rttm": ("text/plain; charset=utf-8", _rttm),
}


def _timed_words(utterance: Utterance) -> list[Word]:
    """The words of the text with times: the engine's where they match it, else spread by their length."""
    tokens = utterance.text.split()
    if len(tokens) == len(utterance.words):
        pairs = zip(tokens, utterance.words, strict=True)
        return [msgspec.structs.replace(word, text=token) for token, word in pairs]
    total = sum(map(len, tokens))
    span_ms = utterance.end_ms - utterance.start_ms
    timed, done = [], 0
    for token in tokens:
        for piece in textwrap.wrap(token, LINE_CHARS):  # scripts without spaces
            start_ms = utterance.start_ms + span_ms * done // total
            done += len(piece)
            end_ms = utterance.start_ms + span_ms * done // total
            timed.append(Word(text=piece, start_ms=start_ms, end_ms=end_ms))
    return timed


def _grouped(words: Sequence[Word]) -> list[list[Word]]:
    """Split into groups of at most CUE_CHARS, of about equal length so that no last word stands alone."""
    length = sum(len(word.text) + 1 for word in words) - 1
    count = max(1, -(-length // CUE_CHARS))
    target = length / count
    groups: list[list[Word]] = []
    size = 0
    for word in words:
        longer = size + 1 + len(word.text)
        if groups and longer <= CUE_CHARS and size < target:
            groups[-1].append(word)
            size = longer
        else:
            groups.append([word])
            size = len(word.text)
    return groups


def _wrap(text: str) -> str:
    """Break into lines of LINE_CHARS; words that are longer keep a line of their own."""
    return "\n".join(textwrap.wrap(text, LINE_CHARS, break_long_words=False, break_on_hyphens=False))


def _line(text: str) -> str:
    """The text on one line: a line break inside would end a subtitle early."""
    return " ".join(text.split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(max(0, ms), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms:03d}"


def _stem(session: Session, name: str | None) -> str:
    """A file name without its suffix: what or when and where, in characters that every file system takes."""
    if name:
        return _slug(name)
    began = datetime.fromtimestamp(session.start_ms / 1000, UTC)
    return f"minerva-{began:%Y%m%d-%H%M}-{_slug(session.room or session.device)}"


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40] or "session"
