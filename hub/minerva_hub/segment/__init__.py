"""Speech in a stream: the detector and the rules that make segments of its probabilities."""

from minerva_hub.segment.vad import VadBank

__all__ = ["VadBank"]
