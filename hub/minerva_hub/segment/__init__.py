"""Speech in a stream: the detector, the rules that make segments, and an ear for each stream."""

from minerva_hub.segment.bank import EarBank
from minerva_hub.segment.ear import Ear
from minerva_hub.segment.heard import (
    EarEvent,
    Segment,
    SegmentEnded,
    Settled,
    SoFar,
    SpeechBegan,
    SpeechDropped,
)
from minerva_hub.segment.vad import VadBank

__all__ = [
    "Ear",
    "EarBank",
    "EarEvent",
    "Segment",
    "SegmentEnded",
    "Settled",
    "SoFar",
    "SpeechBegan",
    "SpeechDropped",
    "VadBank",
]
