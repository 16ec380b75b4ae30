"""What the hub knows in cf-voice's words: pure functions and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from minerva_hub.cf_voice.events import (
    EnvironEvent,
    EnvironLabel,
    Heard,
    QueueEvent,
    QueueLabel,
    ServiceStatus,
    SpeakerEvent,
    ToneEvent,
    TranscriptEvent,
)
from minerva_hub.events import EngineInfo, NewSound, Tone, Utterance

MULTIPLE: Final = "Multiple"
AT_ONCE: Final = 3  # so many voices at once are not told apart

# The hub's sounds that cf-voice has a word for.
QUEUE: Mapping[str, QueueLabel] = MappingProxyType(
    {
        "hold_music": "hold_music",
        "ringback": "ringback",
        "busy": "busy",
        "dtmf_tone": "dtmf_tone",
    }
)
ENVIRON: Mapping[str, EnvironLabel] = MappingProxyType({"music": "music"})

# The names under which /health tells of the hub's stages.
MODELS: Mapping[str, str] = MappingProxyType(
    {"stt": "transcribe", "diarizer": "diarize", "dimensional": "tone", "prosody": "tone"}
)
EMOTION: Final = "wav2vec2"  # the tone engine that has an emotion model

At = Callable[[int], float]  # UTC in ms -> seconds on the session's clock


def said(utterances: Sequence[Utterance], session: str, at: At, *, elcor: bool) -> list[tuple[int, Heard]]:
    """Utterances of one segment -> (id of the utterance, event): of each its words, then its tone."""
    found: list[tuple[int, Heard]] = []
    for one in utterances:
        speaker = MULTIPLE if _at_once(one, utterances) >= AT_ONCE else one.speaker
        text = TranscriptEvent(
            session_id=session, text=one.text, speaker_id=speaker, timestamp=at(one.start_ms)
        )
        found.append((one.id, text))
        if one.tone is not None:
            found.append((one.id, tone_event(one, one.tone, speaker, session, at, elcor=elcor)))
    return found


def tone_event(one: Utterance, tone: Tone, speaker: str, session: str, at: At, *, elcor: bool) -> ToneEvent:
    """How an utterance was said. The label is the affect, or without one what is unusual for the speaker."""
    label = tone.affect if tone.affect != "neutral" else ", ".join(tone.flags) or "neutral"
    return ToneEvent(
        label=label,
        confidence=tone.confidence,
        speaker_id=speaker,
        shift_magnitude=tone.shift_magnitude,
        timestamp=at(one.start_ms),
        session_id=session,
        subtext=subtext(tone.affect, tone.flags) if elcor else None,
        affect=tone.affect,
        shift_direction=tone.shift,
        prosody_flags=tone.flags,
        arousal_delta=None if "baseline" in tone.reason else tone.arousal_delta,
    )


def subtext(affect: str, flags: Sequence[str]) -> str:
    """The tone as a prefix in brackets, for programs that asked for `elcor`."""
    words = [affect] if affect != "neutral" or not flags else []
    return " ".join(f"[{word.upper()}]" for word in (*words, *flags))


def voices(utterances: Sequence[Utterance], session: str, at: At) -> SpeakerEvent:
    """Whether one or several were heard in a segment; diarization gives no probability, so 1.0."""
    several = len({one.speaker for one in utterances}) > 1 or MULTIPLE in {one.speaker for one in utterances}
    return SpeakerEvent(
        session_id=session,
        label="human_multi" if several else "human_single",
        confidence=1.0,
        timestamp=at(utterances[0].start_ms),
    )


def sound(heard: NewSound, session: str, at: At) -> Heard | None:
    """A sound event, None where cf-voice has no word for it."""
    queue, environ = QUEUE.get(heard.label), ENVIRON.get(heard.label)
    when = at(heard.start_ms)
    if queue is not None:
        return QueueEvent(session_id=session, label=queue, confidence=heard.score, timestamp=when)
    if environ is not None:
        return EnvironEvent(session_id=session, label=environ, confidence=heard.score, timestamp=when)
    return None


def with_speaker(event: Heard, speaker: str) -> Heard:
    """The event with another speaker, where it has one that stands for one voice."""
    if isinstance(event, ToneEvent | TranscriptEvent) and event.speaker_id != MULTIPLE:
        return msgspec.structs.replace(event, speaker_id=speaker)
    return event


def model_states(engines: Sequence[EngineInfo]) -> dict[str, str]:
    """The states of /health's `models`: loading, ready or error."""
    by_stage = {engine.stage: engine for engine in engines}
    states = {}
    for name, stage in MODELS.items():
        engine = by_stage.get(stage)  # type: ignore[call-overload]
        if engine is None:
            states[name] = "loading"
        elif name == "dimensional" and engine.state != "loading" and engine.name != EMOTION:
            states[name] = "error"
        else:
            states[name] = {"rough": "ready", "off": "error"}.get(engine.state, engine.state)
    return states


def warnings(engines: Sequence[EngineInfo], others: Sequence[str] = ()) -> list[str]:
    """What a program should know of the engines: what is rough, off or failed, and the hub's own warnings."""
    told = [
        f"{engine.stage}: {engine.reason or engine.state}"
        for engine in engines
        if engine.state in ("rough", "off", "error")
        or (engine.stage == "tone" and engine.state == "ready" and engine.name != EMOTION)
    ]
    return [*others, *told]


def service(engines: Sequence[EngineInfo]) -> tuple[ServiceStatus, str]:
    """Whether sound can be made words now, and if not, why."""
    words = next((engine for engine in engines if engine.stage == "transcribe"), None)
    if words is None or words.state == "loading":
        return "loading", "Speech to text is loading."
    if words.state in ("error", "off"):
        return "error", words.reason or "Speech to text does not work."
    return "ready", ""


def _at_once(one: Utterance, all_: Sequence[Utterance]) -> int:
    """How many voices spoke at some moment of an utterance, its own included."""
    edges = [one.start_ms, *(other.start_ms for other in all_ if one.start_ms < other.start_ms < one.end_ms)]
    return max(
        len({other.speaker for other in all_ if other.start_ms <= edge < other.end_ms}) for edge in edges
    )
