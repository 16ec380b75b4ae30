"""What the profiled hub is told, and what it tells."""

from __future__ import annotations

import msgspec
from minerva_hub.config import DiarizeConfig, SegmentConfig, ToneConfig, TranscribeConfig
from minerva_hub.events import EngineInfo

from minerva_tools.profiling.stages import Times


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the folder for its database, how many devices, and the owner's settings of the stages."""

    folder: str
    devices: int
    segment: SegmentConfig
    transcribe: TranscribeConfig
    diarize: DiarizeConfig
    tone: ToneConfig


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub took; `children_s`: the recognisers' processes, `native_s`: threads without Python."""

    wall_s: float
    cpu_s: float
    children_s: float
    native_s: float
    stages: dict[str, Times]
    folded: list[tuple[list[str], float]]
    engines: tuple[EngineInfo, ...]
    utterances: int
    samples: int
    drops: dict[str, int]
