"""The words that are locked in the cf-voice family: field names, event names, labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from minerva_hub import cf_voice
from minerva_hub.cf_voice import events, mapping
from minerva_hub.cf_voice.events import Classified, Event, classified, sse
from minerva_hub.events import Affect, EngineInfo, NewSound, Shift, Tone, Utterance
from minerva_hub.pipeline.sounds import TOLD

TIMES = {"label", "confidence", "timestamp", "session_id"}
LOCKED: dict[str, set[str]] = {
    "tone-event": TIMES
    | {"event_type", "speaker_id", "shift_magnitude", "subtext", "affect", "shift_direction", "prosody_flags"}
    | {"valence", "arousal", "dominance", "sarcasm_risk", "flat_f0_score", "arousal_delta", "valence_delta"}
    | {"trend", "coherence_score", "suppression_flag", "reframe_type", "affect_divergence"},
    "speaker-event": TIMES | {"event_type"},
    "queue-event": TIMES | {"event_type"},
    "environ-event": TIMES | {"event_type"},
    "transcript-event": {"event_type", "session_id", "text", "speaker_id", "timestamp"},
    "scene-event": TIMES | {"privacy_risk"},
    "service-event": {"event_type", "session_id", "status", "detail"},
}
NULLABLE = {
    "subtext", "valence", "arousal", "dominance", "sarcasm_risk", "flat_f0_score", "arousal_delta",
    "valence_delta", "trend", "coherence_score", "suppression_flag", "reframe_type", "affect_divergence",
}  # fmt: skip
LABELS: dict[Any, str] = {
    events.QueueLabel: "hold_music silence ringback busy dead_air dtmf_tone",
    events.SpeakerLabel: "ivr_synth human_single human_multi transfer no_speaker background_voices",
    events.EnvironLabel: "call_center music background_shift noise_floor_change quiet birdsong wind rain "
    "water traffic crowd_chatter street_signal construction hvac keyboard_typing restaurant",
    events.SceneLabel: "indoor_quiet indoor_crowd outdoor_urban outdoor_nature vehicle public_transit",
    events.ServiceStatus: "ready loading warning error",
    events.PrivacyRisk: "low moderate high",
    Affect: "neutral warm frustrated confused apologetic genuine dismissive urgent",
    Shift: "stable escalating de-escalating",
}


def kinds(base: type[Event]) -> Iterator[type[Event]]:
    """All events that there are, found by their base."""
    for kind in base.__subclasses__():
        yield from [kind] if kind.SSE else []
        yield from kinds(kind)


ALL = {kind.SSE: kind for kind in kinds(Event)}
SAMPLE: dict[type, object] = {str: "x", float: 0.5, tuple: ()}


def an_event(kind: type[Event]) -> Event:
    """An event with nothing in it but what has no default."""
    hints = get_type_hints(kind)
    given = {}
    for field in msgspec.structs.fields(kind):
        if field.required:
            hint = hints[field.name]
            given[field.name] = get_args(hint)[0] if get_args(hint) else SAMPLE[hint]
    return kind(**given)


def test_the_events_are_those_that_are_locked() -> None:
    assert ALL.keys() == LOCKED.keys()


@pytest.mark.parametrize("name", LOCKED)
def test_field_names_are_the_locked_ones_and_what_is_unknown_is_null(name: str) -> None:
    event = an_event(ALL[name])
    raw = sse(event).decode()
    first, second, *rest = raw.split("\n")
    assert first == f"event: {name}" and second.startswith("data: {") and rest == ["", ""]
    fields = json.loads(second.removeprefix("data: "))
    assert fields.keys() == LOCKED[name]
    assert {key for key, value in fields.items() if value is None} == NULLABLE & LOCKED[name]
    if "event_type" in fields:
        assert fields["event_type"] == name.removesuffix("-event")


@pytest.mark.parametrize("kind", LABELS, ids=lambda kind: str(get_args(kind)[0]))
def test_labels_are_the_locked_ones(kind: Any) -> None:
    assert set(get_args(kind)) == set(LABELS[kind].split())


@pytest.mark.parametrize("name", [name for name in LOCKED if name != "service-event"])
def test_what_classify_answers(name: str) -> None:
    allowed = {
        "event_type",
        "label",
        "confidence",
        "timestamp",
        "speaker_id",
        "shift_magnitude",
        "privacy_risk",
    }
    assert {field.name for field in msgspec.structs.fields(Classified)} == allowed
    told = json.loads(msgspec.json.encode(classified(an_event(ALL[name]))))  # type: ignore[arg-type]
    assert {"event_type", "label", "confidence", "timestamp"} <= told.keys() <= allowed
    assert told["event_type"] == name.removesuffix("-event")
    assert None not in told.values()


def test_nothing_speaks_of_deception() -> None:
    root = Path(cf_voice.__file__).parents[3]
    files = [*Path(cf_voice.__file__).parent.glob("*.py"), root / "docs" / "cf-voice.md"]
    for path in files:
        found = re.findall(
            r"\b(decei\w*|decept\w*|lie[sd]?|lying|liar|truth\w*|honest\w*)\b", path.read_text(), re.I
        )
        assert not found, (path.name, found)


def utterance(id_: int, speaker: str, start_ms: int, end_ms: int, tone: Tone | None = None) -> Utterance:
    return Utterance(
        id=id_, session_id=0, device="guest/x", room="x", speaker=speaker, start_ms=start_ms, end_ms=end_ms,
        text=f"line {id_}", tone=tone,
    )  # fmt: skip


def at(utc_ms: int) -> float:
    return utc_ms / 1000


def test_an_utterance_becomes_a_transcript_and_a_tone() -> None:
    tone = Tone(affect="warm", confidence=0.7, shift="escalating", shift_magnitude=0.4, arousal_delta=1.2,
                flags=("louder",))  # fmt: skip
    (key, text), (same, told) = mapping.said(
        [utterance(4, "Speaker B", 2500, 3000, tone)], "s", at, elcor=True
    )
    assert key == same == 4
    assert (text.text, text.speaker_id, text.timestamp) == ("line 4", "Speaker B", 2.5)  # type: ignore[union-attr]
    assert isinstance(told, events.ToneEvent)
    assert (told.label, told.affect, told.confidence, told.subtext) == (
        "warm",
        "warm",
        0.7,
        "[WARM] [LOUDER]",
    )
    assert (told.shift_direction, told.shift_magnitude, told.arousal_delta) == ("escalating", 0.4, 1.2)
    assert told.prosody_flags == ("louder",)


@pytest.mark.parametrize(
    ("tone", "label", "delta"),
    [
        (Tone(reason="No emotion model; baseline: 2 of 3 utterances"), "neutral", None),
        (
            Tone(flags=("faster", "higher"), arousal_delta=0.9, reason="No emotion model"),
            "faster, higher",
            0.9,
        ),
    ],
)
def test_a_tone_without_a_model(tone: Tone, label: str, delta: float | None) -> None:
    told = mapping.tone_event(utterance(1, "Speaker A", 0, 1, tone), tone, "Speaker A", "s", at, elcor=False)
    assert (told.label, told.affect, told.confidence, told.subtext) == (label, "neutral", 0.0, None)
    assert told.arousal_delta == delta


def test_three_at_once_are_multiple_and_two_are_not() -> None:
    lines = [
        utterance(1, "Speaker A", 0, 900),
        utterance(2, "Speaker B", 100, 400),
        utterance(3, "Speaker C", 300, 350),
        utterance(4, "Speaker B", 800, 1000),
    ]
    told = dict(mapping.said(lines, "s", at, elcor=False))
    assert [told[key].speaker_id for key in (1, 2, 3, 4)] == [  # type: ignore[union-attr]
        "Multiple", "Multiple", "Multiple", "Speaker B",
    ]  # fmt: skip
    assert mapping.voices(lines, "s", at).label == "human_multi"
    assert mapping.voices(lines[:1], "s", at).label == "human_single"


@pytest.mark.parametrize(
    ("label", "name", "told"),
    [
        ("hold_music", "queue-event", "hold_music"),
        ("busy", "queue-event", "busy"),
        ("music", "environ-event", "music"),
    ],
)
def test_sounds_that_have_a_word(label: str, name: str, told: str) -> None:
    heard = NewSound(device="guest/x", room="x", label=label, score=0.8, start_ms=1500, end_ms=2000)
    event = mapping.sound(heard, "s", at)
    assert event is not None and event.SSE == name
    assert (event.label, event.confidence, event.timestamp) == (told, 0.8, 1.5)  # type: ignore[union-attr]


def test_the_hub_hears_every_sound_that_has_a_word() -> None:
    assert mapping.QUEUE.keys() | mapping.ENVIRON.keys() <= TOLD
    assert not mapping.QUEUE.keys() & mapping.ENVIRON.keys()


def test_sounds_without_a_word_are_not_told() -> None:
    for label in ("smoke_alarm", "doorbell", "speech", "noise", ""):
        heard = NewSound(device="guest/x", room="x", label=label, score=1.0, start_ms=0, end_ms=1)
        assert mapping.sound(heard, "s", at) is None


def engine(stage: str, name: str, state: str, reason: str = "") -> EngineInfo:
    return EngineInfo(stage=stage, name=name, state=state, reason=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engines", "models", "status"),
    [
        ([], "loading loading loading loading", "loading"),
        (
            [
                engine("transcribe", "p", "rough"),
                engine("diarize", "b", "rough"),
                engine("tone", "prosody", "rough"),
            ],
            "ready ready error ready",
            "ready",
        ),
        (
            [
                engine("transcribe", "w", "ready"),
                engine("diarize", "off", "off"),
                engine("tone", "wav2vec2", "ready"),
            ],
            "ready error ready ready",
            "ready",
        ),
        (
            [engine("transcribe", "w", "error"), engine("tone", "off", "off")],
            "error loading error error",
            "error",
        ),
        ([engine("transcribe", "w", "loading")], "loading loading loading loading", "loading"),
    ],
)
def test_how_the_engines_stand(engines: list[EngineInfo], models: str, status: str) -> None:
    names = ("stt", "diarizer", "dimensional", "prosody")
    assert mapping.model_states(engines) == dict(zip(names, models.split(), strict=True))
    assert mapping.service(engines)[0] == status
    off = [one for one in engines if one.state not in ("ready", "loading")]
    assert len(mapping.warnings(engines, ["disk"])) == 1 + len(off)
