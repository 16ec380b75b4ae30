"""A stretch of speech that goes on, and how soon its words are worth asking for again."""

from __future__ import annotations

from typing import Final

from minerva_hub.config import TranscribeConfig
from minerva_hub.pipeline.stream import Stream
from minerva_hub.transcribe.agreement import LocalAgreement

SHARE: Final = 0.6  # of a partial worker's time; the rest is for what is late and what costs more than before
MAX_RATE: Final = 20.0  # partials a second, of all devices: more than a page or a person can take in


class Spoken:
    """Somebody speaks on `stream` since `since_ms`, UTC.

    `asked_s`: when its words were asked for last; `cost_s`: what they took an engine; `at_work`: whether one
    is at them.
    """

    __slots__ = ("agreement", "asked_s", "at_work", "cost_s", "since_ms", "stream")

    def __init__(self, stream: Stream, since_ms: int) -> None:
        self.stream = stream
        self.since_ms = since_ms
        self.agreement = LocalAgreement()
        self.asked_s: float | None = None
        self.cost_s: float | None = None
        self.at_work = False


def pace_s(
    config: TranscribeConfig, cost_s: float, *, speaking: int, workers: int, finals: int, all_workers: int
) -> float:
    """How long to wait between two partials of a device, from what the last one cost.

    `speaking` streams share `workers` of `all_workers`; while `finals` segments wait, partials hold back.
    """
    shared_s = cost_s * speaking / (workers * SHARE)
    behind = 1.0 + finals / all_workers
    return min(config.pace_max_s, max(config.pace_min_s, shared_s * behind, speaking / MAX_RATE))
