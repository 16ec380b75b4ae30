"""What partials do to words, with a recogniser that has real ones: pocketsphinx on the bundled conversation.

Each segment is decoded at a fixed pace while it grows, and then whole. Compared are the final words and those
that begin with what had been committed, both with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from minerva_hub.config import SegmentConfig, TranscribeConfig
from minerva_hub.segment import EarBank, Segment, SegmentEnded
from minerva_hub.transcribe import RATE, Transcriber, Transcript
from minerva_hub.transcribe.agreement import LocalAgreement, begin_with
from minerva_hub.transcribe.sphinx import SphinxEngine

from minerva_tools.conversation import Sound, load_demo
from minerva_tools.measure import Result, at_most, figure
from minerva_tools.scoring import normalised, wer

GAIN = 8  # from the room's pascals to what a device sends
FIRST_S = 0.5  # of sound, the pre-roll included, in the first partial of a stretch
PACKET = 960
MAX_WORSE = 0.01  # of WER


def agreement_results() -> list[Result]:
    """Compare on all segments of all rooms."""
    demo = load_demo()
    pace_s = TranscribeConfig().pace_min_s
    alone: list[str] = []
    shown: list[str] = []
    committed = broken = differing = count = 0
    transcriber = SphinxEngine("").open()
    try:
        for sound in demo.sound.values():
            for segment in _segments(sound):
                count += 1
                agreement, times = _spoken(segment, transcriber, pace_s)
                broken += times
                final = transcriber.transcribe(segment.pcm)
                kept = begin_with(agreement.committed, final, len(segment.pcm) / RATE)
                broken += not f"{kept.text} ".startswith(f"{agreement.text[0]} ".lstrip())
                committed += len(agreement.committed)
                differing += kept.text != final.text
                alone += _plain(final)
                shown += _plain(kept)
    finally:
        transcriber.close()
    reference = [
        word
        for room in demo.sound
        for one in demo.reference.rooms
        if one.room == room
        for turn in one.turns
        for word in normalised(turn.text).split()
    ]
    without, with_ = wer(reference, alone).value, wer(reference, shown).value
    under = (
        f"pocketsphinx, {count} segments of the bundled conversation, decoded each {pace_s:g} s as they grow"
    )
    return [
        at_most("words.worse", with_ - without, "WER", MAX_WORSE, under + "; with partials less without"),
        figure("words.wer", with_, "WER", under),
        figure("words.wer_without", without, "WER", under),
        figure("words.committed", committed / max(1, len(shown)), "of the words", under),
        figure(
            "words.differing", differing, "segments", under + "; the final alone would have said it otherwise"
        ),
        at_most("words.committed_changed", broken, "times", 0, under),
    ]


def _spoken(segment: Segment, transcriber: Transcriber, pace_s: float) -> tuple[LocalAgreement, int]:
    """The partials of a segment; and how often what was committed changed."""
    agreement = LocalAgreement()
    broken = 0
    for end in range(int(FIRST_S * RATE), len(segment.pcm), int(pace_s * RATE)):
        before = agreement.committed
        agreement.push(transcriber.hypothesis(segment.pcm[:end]).words)
        broken += agreement.committed[: len(before)] != before
    return agreement, broken


def _plain(transcript: Transcript) -> list[str]:
    return normalised(transcript.text).split()


def _segments(sound: Sound) -> Iterator[Segment]:
    pcm = np.clip(sound.astype(np.int32) * GAIN, -32768, 32767).astype(np.int16)
    bank = EarBank(SegmentConfig())
    ear = bank.open()
    for number, at in enumerate(range(0, len(pcm) - PACKET + 1, PACKET)):
        ear.feed(pcm[at : at + PACKET], at * 1000 // RATE, number)
        while bank.busy:
            yield from (event.segment for _, event in bank.step() if isinstance(event, SegmentEnded))
    ear.flush()
    while bank.busy:
        yield from (event.segment for _, event in bank.step() if isinstance(event, SegmentEnded))
