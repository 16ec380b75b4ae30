"""The stages in a row, without devices: sound coded as a device does, segmented, written down, scored."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from minerva_hub.config import DiarizeConfig, SegmentConfig, TranscribeConfig
from minerva_hub.diarize import choose_diarizer
from minerva_hub.segment.bank import EarBank
from minerva_hub.segment.heard import SegmentEnded
from minerva_hub.transcribe import Transcriber, choose_engine
from minerva_tools.conversation import FULL_SCALE_PA, load_demo
from minerva_tools.scoring import Spoken, score

if sys.version_info >= (3, 13):
    import audioop
else:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop

# An INMP441 (-26 dBFS at 1 Pa, of a full-scale sine) and the board's gain of 24 dB.
GAIN = FULL_SCALE_PA * 10 ** ((-26 + 24) / 20) / np.sqrt(2)
PACKET = 960


def as_sent(sound: np.ndarray) -> np.ndarray:
    """Sound in a room -> what the hub decodes: the microphone's level, IMA-ADPCM in between."""
    pcm = np.clip(np.round(sound * GAIN), -32768, 32767).astype("<i2")
    coded, _ = audioop.lin2adpcm(pcm.tobytes(), 2, None)
    return np.frombuffer(audioop.adpcm2lin(coded, 2, None)[0], np.int16)


def segments(pcm: np.ndarray) -> list[tuple[float, np.ndarray]]:
    bank = EarBank(SegmentConfig(), backlog_s=120)
    ear = bank.open()
    for at in range(0, len(pcm) - PACKET + 1, PACKET):
        assert ear.feed(pcm[at : at + PACKET], at // 16, at // PACKET)
    ear.flush()
    heard = []
    while bank.busy:
        heard += [event for _, event in bank.step()]
    ended = [event.segment for event in heard if isinstance(event, SegmentEnded)]
    return [(segment.start_ms / 1000, segment.pcm) for segment in ended]


def written_down(room: str, pcm: np.ndarray, transcriber: Transcriber) -> list[Spoken]:
    diarizer = choose_diarizer(DiarizeConfig())
    book = diarizer.open_book()
    labels: dict[int, str] = {}
    rows: dict[int, tuple[float, float, str]] = {}
    for start_s, samples in segments(pcm):
        words = transcriber.transcribe(samples).words
        turns = diarizer.split(samples, words)
        for turn in turns:
            others = [other for other in turns if other is not turn]
            said = [
                word.text
                for word in words
                if all(distance(word, turn) <= distance(word, other) for other in others)
            ]
            key = len(rows)
            rows[key] = (start_s + turn.start_s, start_s + turn.end_s, " ".join(said))
            assignment = book.add([(key, turn.voice, turn.end_s - turn.start_s)])
            labels |= {**assignment.labels, **assignment.changed}
    return [Spoken(room, labels[key], *row) for key, row in rows.items()]


def distance(word, turn) -> float:  # type: ignore[no-untyped-def]
    middle_s = (word.start_s + word.end_s) / 2
    return max(turn.start_s - middle_s, middle_s - turn.end_s, 0.0)


@pytest.mark.slow
def test_the_bundled_conversation_is_written_down() -> None:
    demo = load_demo()
    transcriber = choose_engine(TranscribeConfig(engine="pocketsphinx")).open()
    try:
        spoken = [
            line
            for room, sound in demo.sound.items()
            for line in written_down(room, as_sent(sound), transcriber)
        ]
    finally:
        transcriber.close()
    result = score(demo.reference, spoken)
    assert result.speakers_right
    assert result.wer <= 0.20, spoken
    assert result.der <= 0.05, spoken
