"""The events that programs of the cf-voice family read; their field names are locked there.

`timestamp` is in seconds on the session's own clock (docs/cf-voice.md). What the hub does not know is null.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from minerva_hub.events import Affect, Shift

SpeakerLabel = Literal[
    "ivr_synth", "human_single", "human_multi", "transfer", "no_speaker", "background_voices"
]
QueueLabel = Literal["hold_music", "silence", "ringback", "busy", "dead_air", "dtmf_tone"]
EnvironLabel = Literal[
    "call_center", "music", "background_shift", "noise_floor_change", "quiet", "birdsong", "wind", "rain",
    "water", "traffic", "crowd_chatter", "street_signal", "construction", "hvac", "keyboard_typing",
    "restaurant",
]  # fmt: skip
SceneLabel = Literal[
    "indoor_quiet", "indoor_crowd", "outdoor_urban", "outdoor_nature", "vehicle", "public_transit"
]
ServiceStatus = Literal["ready", "loading", "warning", "error"]
PrivacyRisk = Literal["low", "moderate", "high"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base; `SSE` is the name of the event in a stream."""

    SSE: ClassVar[str] = ""


class ToneEvent(Event, frozen=True, kw_only=True):
    """How something was said: `label` in words, `affect` as a model heard it, `confidence` 0 without one."""

    SSE: ClassVar[str] = "tone-event"

    event_type: Literal["tone"] = "tone"
    label: str
    confidence: float
    speaker_id: str
    shift_magnitude: float
    timestamp: float
    session_id: str
    subtext: str | None = None
    affect: Affect = "neutral"
    shift_direction: Shift = "stable"
    prosody_flags: tuple[str, ...] = ()
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    sarcasm_risk: float | None = None
    flat_f0_score: float | None = None
    arousal_delta: float | None = None
    valence_delta: float | None = None
    trend: str | None = None
    coherence_score: float | None = None
    suppression_flag: bool | None = None
    reframe_type: str | None = None
    affect_divergence: float | None = None


class Labelled(Event, frozen=True, kw_only=True):
    """Base of what is a label alone, with `confidence` 0 to 1."""

    session_id: str
    label: str
    confidence: float
    timestamp: float


class SpeakerEvent(Labelled, frozen=True, kw_only=True):
    """What kind of voice is heard; sent when it changes."""

    SSE: ClassVar[str] = "speaker-event"

    event_type: Literal["speaker"] = "speaker"
    label: SpeakerLabel


class QueueEvent(Labelled, frozen=True, kw_only=True):
    """A sound of the telephone."""

    SSE: ClassVar[str] = "queue-event"

    event_type: Literal["queue"] = "queue"
    label: QueueLabel


class EnvironEvent(Labelled, frozen=True, kw_only=True):
    """A sound of the surroundings."""

    SSE: ClassVar[str] = "environ-event"

    event_type: Literal["environ"] = "environ"
    label: EnvironLabel


class TranscriptEvent(Event, frozen=True, kw_only=True):
    """What somebody said."""

    SSE: ClassVar[str] = "transcript-event"

    event_type: Literal["transcript"] = "transcript"
    session_id: str
    text: str
    speaker_id: str
    timestamp: float


class SceneEvent(Labelled, frozen=True, kw_only=True):
    """Where the microphone seems to be."""

    SSE: ClassVar[str] = "scene-event"

    label: SceneLabel
    privacy_risk: PrivacyRisk


class ServiceEvent(Event, frozen=True, kw_only=True):
    """How the hub's engines stand."""

    SSE: ClassVar[str] = "service-event"

    event_type: Literal["service"] = "service"
    session_id: str
    status: ServiceStatus
    detail: str


Heard = ToneEvent | SpeakerEvent | QueueEvent | EnvironEvent | TranscriptEvent | SceneEvent


class Classified(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as /classify tells it; the text of a transcript is its label."""

    event_type: str
    label: str
    confidence: float
    timestamp: float
    speaker_id: str | None = None
    shift_magnitude: float | None = None
    privacy_risk: PrivacyRisk | None = None


def sse(event: Event) -> bytes:
    """An event as it goes over a stream; JSON has no raw line ends, so one `data:` line holds it."""
    return b"event: %b\ndata: %b\n\n" % (event.SSE.encode(), msgspec.json.encode(event))


def classified(event: Heard, certainty: float = 1.0) -> Classified:
    """An event as /classify tells it; `certainty` is that of a transcript, which has no field for it."""
    if isinstance(event, TranscriptEvent):
        return Classified(
            event_type="transcript",
            label=event.text,
            confidence=certainty,
            timestamp=event.timestamp,
            speaker_id=event.speaker_id,
        )
    if isinstance(event, ToneEvent):
        return Classified(
            event_type="tone",
            label=event.label,
            confidence=event.confidence,
            timestamp=event.timestamp,
            speaker_id=event.speaker_id,
            shift_magnitude=event.shift_magnitude,
        )
    return Classified(
        event_type="scene" if isinstance(event, SceneEvent) else event.event_type,
        label=event.label,
        confidence=event.confidence,
        timestamp=event.timestamp,
        privacy_risk=event.privacy_risk if isinstance(event, SceneEvent) else None,
    )
