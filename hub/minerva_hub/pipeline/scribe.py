"""From a segment to who said what in it: transcribe, split into turns, give each turn its words. Blocking."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from minerva_hub.diarize import Diarizer, Turn
from minerva_hub.diarize.features import Frames, analyse
from minerva_hub.events import NewUtterance, Tone, Word
from minerva_hub.pipeline.tones import Sounding, ToneMeter
from minerva_hub.segment import Segment
from minerva_hub.transcribe import RATE, TimedWord, Transcriber
from minerva_hub.transcribe.agreement import begin_with


class Draft(msgspec.Struct, frozen=True):
    """What one voice said in a segment: an utterance without session and speaker label."""

    text: str
    words: tuple[Word, ...]
    start_ms: int
    end_ms: int
    language: str
    voice: Any  # the diarizer's own
    sounding: Sounding | None = None  # how it was said; None: tone is off, or it was too soft to tell


def line(
    draft: Draft, *, session_id: int, device: str, room: str, speaker: str, engine: str, tone: Tone | None
) -> NewUtterance:
    """The utterance that a draft becomes."""
    return NewUtterance(
        session_id=session_id,
        device=device,
        room=room,
        speaker=speaker,
        start_ms=draft.start_ms,
        end_ms=draft.end_ms,
        text=draft.text,
        words=draft.words,
        engine=engine,
        language=draft.language,
        tone=tone,
    )


class Written(msgspec.Struct, frozen=True):
    """A segment written down; `busy_s` is the time its engines took, `encoder_frames` as in Transcript."""

    drafts: tuple[Draft, ...]
    busy_s: float
    encoder_frames: int = 0


def write_down(
    segment: Segment,
    transcriber: Transcriber,
    diarizer: Diarizer[Any],
    meter: ToneMeter | None = None,
    committed: tuple[str, ...] = (),
) -> Written:
    """Transcribe a segment, split it by speaker, and listen to how each said it; no words, no drafts.

    The text begins with the words `committed`, which people saw as certain.
    """
    began = time.perf_counter()
    heard = transcriber.transcribe(segment.pcm)
    encoded = heard.encoder_frames
    transcript = begin_with(committed, heard, len(segment.pcm) / RATE)
    if not transcript.words:
        return Written((), time.perf_counter() - began, encoded)
    turns = diarizer.split(segment.pcm, transcript.words)
    frames = None if meter is None else analyse(segment.pcm)
    drafts = tuple(
        Draft(
            text=" ".join(word.text for word in said),
            words=tuple(_on_clock(word, segment.start_ms) for word in said),
            start_ms=segment.start_ms + round(turn.start_s * 1000),
            end_ms=segment.start_ms + round(turn.end_s * 1000),
            language=transcript.language,
            voice=turn.voice,
            sounding=None if meter is None or frames is None else _listen(meter, segment.pcm, frames, turn),
        )
        for turn, said in _share(transcript.words, turns)
    )
    return Written(drafts, time.perf_counter() - began, encoded)


def _listen(meter: ToneMeter, pcm: NDArray[np.int16], frames: Frames, turn: Turn[Any]) -> Sounding | None:
    """How a turn of the segment sounded; `frames` are those of the whole segment, 10 ms each."""
    first, end = round(turn.start_s * 100), round(turn.end_s * 100)
    own = Frames(
        frames.cepstra[first:end],
        frames.pitch[first:end],
        frames.voicing[first:end],
        frames.level_db[first:end],
    )
    return meter.listen(pcm[first * 160 : end * 160], own)


def _on_clock(word: TimedWord, start_ms: int) -> Word:
    return Word(
        text=word.text,
        start_ms=start_ms + round(word.start_s * 1000),
        end_ms=start_ms + round(word.end_s * 1000),
        confidence=word.confidence,
    )


def _share(words: tuple[TimedWord, ...], turns: list[Turn[Any]]) -> list[tuple[Turn[Any], list[TimedWord]]]:
    """Each word goes to the turn its middle is in, or the nearest; turns without words are left out."""
    said: list[list[TimedWord]] = [[] for _ in turns]
    for word in words:
        middle = (word.start_s + word.end_s) / 2
        nearest = min(
            range(len(turns)),
            key=lambda i: max(turns[i].start_s - middle, middle - turns[i].end_s, 0.0),
        )
        said[nearest].append(word)
    return [(turn, mine) for turn, mine in zip(turns, said, strict=True) if mine]
