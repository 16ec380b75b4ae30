"""A recording through the hub's speech detector and a diarizer, without devices, words or event loop."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from minerva_hub.audio import decode_adpcm
from minerva_hub.config import SegmentConfig
from minerva_hub.diarize import Diarizer
from minerva_hub.segment import EarBank, Segment, SegmentEnded
from numpy.typing import NDArray

from minerva_tools.material.sessions import Stretch

PACKET: Final = 960  # samples, 60 ms: what a device sends at a time

Pcm = NDArray[np.int16]


def coded(pcm: Pcm) -> Pcm:
    """int16 (n,) as it comes out of IMA-ADPCM packets, which is how devices send."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.13 has it as audioop-lts
        import audioop

    state = (0, 0)  # predictor and step index, which each packet begins with
    parts = []
    padded = np.pad(pcm, (0, -len(pcm) % PACKET))
    for at in range(0, len(padded), PACKET):
        head = struct.pack("<hBB", *state, 0)
        payload, state = audioop.lin2adpcm(padded[at : at + PACKET].tobytes(), 2, state)
        parts.append(decode_adpcm(head + payload))
    return np.concatenate(parts)[: len(pcm)] if parts else pcm


def segments(pcm: Pcm, config: SegmentConfig) -> Iterator[Segment]:
    """The segments of speech in int16 (n,), 16 kHz; their times are milliseconds from the beginning."""
    bank = EarBank(config)
    ear = bank.open()
    for number, at in enumerate(range(0, len(pcm), PACKET)):
        ear.feed(pcm[at : at + PACKET], at // 16, number)
        yield from (event.segment for _, event in bank.step() if isinstance(event, SegmentEnded))
    ear.flush()
    while bank.busy:
        yield from (event.segment for _, event in bank.step() if isinstance(event, SegmentEnded))


def labelled(heard: Iterator[Segment], diarizer: Diarizer[Any]) -> tuple[list[Stretch], list[Stretch]]:
    """(start_s, end_s, speaker) as told at the end of each segment, and as they stand after the session."""
    book = diarizer.open_book()
    times: list[tuple[float, float]] = []
    first: dict[int, str] = {}
    for segment in heard:
        new = []
        for turn in diarizer.split(segment.pcm):
            start_s = segment.start_ms / 1000
            new.append((len(times), turn.voice, turn.end_s - turn.start_s))
            times.append((start_s + turn.start_s, start_s + turn.end_s))
        first |= book.add(new).labels
    final = book.settle()
    return _stretches(times, first), _stretches(times, final)


def _stretches(times: Sequence[tuple[float, float]], labels: dict[int, str]) -> list[Stretch]:
    return [(start_s, end_s, labels[key]) for key, (start_s, end_s) in enumerate(times)]
