"""Which stage of the hub a stack belongs to, and the times of all stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from minerva_tools.profiling.sampler import Stack, Thread

# The innermost frame that fits decides, by a part of its file's path; of several that fit the first.
PLACES: Final[tuple[tuple[str, str], ...]] = (
    ("/faster_whisper/feature_extractor.py", "features"),
    ("/minerva_hub/audio/mel64.py", "features"),
    ("/minerva_hub/diarize/features.py", "features"),
    ("/minerva_hub/pipeline/features.py", "features"),
    ("/minerva_hub/segment/", "vad"),
    ("/minerva_hub/transcribe/", "stt"),
    ("/faster_whisper/", "stt"),
    ("/minerva_hub/diarize/", "diarization"),
    ("/minerva_hub/acoustic/", "sounds"),
    ("/minerva_hub/tone/", "tone"),
    ("/minerva_hub/pipeline/tones.py", "tone"),
    ("/minerva_hub/store/", "store writes"),
    ("/minerva_hub/link/", "network"),
    ("/minerva_hub/audio/", "network"),  # packets become samples
    ("/minerva/wire.py", "network"),
    ("/minerva_hub/web/", "page"),
    ("/minerva_hub/sse.py", "page"),
    ("/minerva_hub/bus.py", "page"),
    ("/minerva_hub/", "pipeline"),
    ("/aiohttp/", "network"),
    ("/asyncio/", "event loop"),
)
STAGES: Final = (
    *("features", "vad", "stt", "diarization", "sounds", "tone", "store writes", "network", "page"),
    *("pipeline", "event loop", "other"),
)
IDLE: Final = "idle"
_IDLE: Final = frozenset(
    {
        ("thread.py", "_worker"),
        ("thread.py", "run"),  # the profile's own, which waits for the word to end
        ("selectors.py", "select"),
        ("database.py", "_write_forever"),
        ("hand.py", "_run"),
    }
)


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a stage worked, and that a thread waited inside it."""

    cpu_s: float = 0.0
    wait_s: float = 0.0


def stage_of(stack: Stack) -> str:
    """The stage of a stack."""
    for file, _ in reversed(stack):
        for part, stage in PLACES:
            if part in file:
                return stage
    return "other"


def _waits_for_work(stack: Stack) -> bool:
    """Whether a thread waits because there is nothing to do: a worker's or the event loop's own wait."""
    file, function = stack[-1]
    return (file.rpartition("/")[2], function) in _IDLE


def by_stage(threads: Iterable[Thread], wall_s: float, samples: int) -> dict[str, Times]:
    """What each stage took; `wall_s` and `samples` of the whole profile give the length of a sample."""
    each_s = wall_s / max(1, samples)
    cpu = dict.fromkeys((*STAGES, IDLE), 0.0)
    wait = dict.fromkeys((*STAGES, IDLE), 0.0)
    for thread in threads:
        for stack, seconds in thread.cpu().items():
            cpu[stage_of(stack)] += seconds
        for stack, count in thread.waiting.items():
            wait[IDLE if _waits_for_work(stack) else stage_of(stack)] += count * each_s
    return {name: Times(cpu_s=cpu[name], wait_s=wait[name]) for name in cpu}
