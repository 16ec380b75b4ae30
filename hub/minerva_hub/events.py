"""What the hub talks about: records of the timeline, states of devices and engines, and live events.

Times are Unix milliseconds UTC (`*_ms`, int) unless a name ends in `_s`. Every struct is frozen, is JSON by
`msgspec.json.encode`, and is what REST, SSE and exports show: there is no second representation.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["mute", "events", "features", "speech", "full"]
Mute = Literal["off", "hub", "button"]
SelfTest = Literal["ok", "differs"]
EngineState = Literal["loading", "ready", "rough", "error", "off"]
RolloutState = Literal["running", "paused", "finished", "stopped"]
ModelStage = Literal["transcribe", "diarize", "sounds", "tone"]
ModelState = Literal["absent", "partial", "unverified", "ready", "damaged"]
ActionState = Literal["planned", "offered", "running", "canceling", "success", "failure", "canceled"]
Affect = Literal["neutral", "warm", "frustrated", "confused", "apologetic", "genuine", "dismissive", "urgent"]
Shift = Literal["stable", "escalating", "de-escalating"]
ToneFlag = Literal["louder", "quieter", "faster", "slower", "higher", "lower", "flat", "hesitant"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the plain records."""


class Word(Record, frozen=True, kw_only=True):
    """A word of an utterance; `confidence` is 0 to 1 as the engine gives it."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0


class Prosody(Record, frozen=True, kw_only=True):
    """How an utterance sounded, in memory only; pitch is None where hardly anything was voiced.

    `pitch_hz` is the median, `pitch_range_st` from the 10th to the 90th percentile, `rate_hz` syllables a
    second of `spoken_s`, `pause_share` 0 to 1 of the whole.
    """

    level_db: float
    pitch_hz: float | None = None
    pitch_range_st: float | None = None
    rate_hz: float
    pause_share: float
    longest_pause_s: float
    spoken_s: float


class Tone(Record, frozen=True, kw_only=True):
    """The tone of an utterance: `affect` as a model hears it, and what is unusual for the speaker.

    `flags` are what a listener would notice against the speaker's first utterances of the session; `shift` is
    where the last few go, `shift_magnitude` 0 to 1. `reason` says why affect or flags are not told.
    All of it is relative: how high or fast somebody speaks is theirs, and is not kept.
    """

    affect: Affect = "neutral"
    confidence: float = 0.0
    shift: Shift = "stable"
    shift_magnitude: float = 0.0
    arousal_delta: float = 0.0
    flags: tuple[ToneFlag, ...] = ()
    reason: str = ""


class NewUtterance(Record, frozen=True, kw_only=True):
    """An utterance that is not stored yet."""

    session_id: int
    device: str
    room: str
    speaker: str
    start_ms: int
    end_ms: int
    text: str
    words: tuple[Word, ...] = ()
    engine: str = ""
    language: str = "en"
    tone: Tone | None = None


class Utterance(NewUtterance, frozen=True, kw_only=True):
    """A transcribed segment of one speaker, as stored."""

    id: int


class Session(Record, frozen=True, kw_only=True):
    """A conversation on one device; `end_ms` is None while it goes on. Speaker labels live in it."""

    id: int
    device: str
    room: str
    start_ms: int
    end_ms: int | None = None
    utterances: int = 0
    speakers: tuple[str, ...] = ()


class NewEnrolment(Record, frozen=True, kw_only=True):
    """A voice of a person whom the owner enrolls by name; `space` is that of the engine which measured it.

    `place` are the engine's numbers; they are never shown by REST, and never sent.
    """

    name: str
    space: str
    place: tuple[float, ...]
    voiced_s: float
    created_ms: int


class Enrolment(NewEnrolment, frozen=True, kw_only=True):
    """A voice as stored."""

    id: int


class NewSound(Record, frozen=True, kw_only=True):
    """A labelled sound that is not stored yet; `score` 0 to 1, `level_db` dBFS of the loudest frame."""

    device: str
    room: str
    label: str
    score: float
    start_ms: int
    end_ms: int
    level_db: float | None = None


class Sound(NewSound, frozen=True, kw_only=True):
    """A sound event, as stored."""

    id: int


class Gap(Record, frozen=True, kw_only=True):
    """A stretch of a stream that never reached the hub, and why."""

    device: str
    start_ms: int
    end_ms: int
    packets: int
    reason: Literal["lost", "overwritten", "hub_overload"]


class ResumePoint(Record, frozen=True, kw_only=True):
    """The last packet of a stream that is settled: transcribed and committed, or judged not speech.

    `end_ms` is when that packet ended. `clock_offset_ms` maps the boot's device time to UTC, so that packets
    resent after a hub restart keep their true time.
    """

    device: str
    boot_id: str
    stream: int
    seq: int
    end_ms: int
    clock_offset_ms: int


class DeviceRecord(Record, frozen=True, kw_only=True):
    """A device as registered; the token itself is never kept, only its hash.

    `mode` is the privacy mode that the owner chose on the hub (None: whatever the device says), `muted`
    whether the owner muted it there; both outlive a restart of either side.
    """

    id: str
    room: str
    token_hash: str
    created_ms: int
    mode: Mode | None = None
    muted: bool = False


class Received(Record, frozen=True, kw_only=True):
    """How much of a media kind the hub took; a frame is 20 ms of audio or 10 ms of features."""

    packets: int = 0
    frames: int = 0


class UpdateState(Record, frozen=True, kw_only=True):
    """How far an update of a device is: what it said last, over the link or to the update server.

    `state` is the device's word (docs/ota.md), `progress` 0 to 100, `action` the update server's number.
    """

    state: str
    at_ms: int
    version: str = ""
    progress: int | None = None
    action: int | None = None
    detail: str = ""


class DeviceInfo(Record, frozen=True, kw_only=True):
    """A device as people see it: what it is, how it is, what came of it and what was lost.

    `self_test`: whether the features that it computes of a known signal are the hub's own; None when it says
    nothing of it. `received` is by media kind, of this boot. `slowed`: how often in this connection the
    hub stopped reading for a moment, because the device sent too fast; told at the first and each tenth time.
    """

    id: str
    room: str
    online: bool = False
    address: str | None = None
    since_ms: int | None = None
    last_seen_ms: int | None = None
    firmware: str = ""
    version: str = ""
    variant: str = ""
    board: str = ""
    slot: str = ""
    update: UpdateState | None = None
    mode: Mode | None = None
    ceiling: Mode | None = None
    modes: tuple[Mode, ...] = ()
    mute: Mute = "off"
    kind: str = ""
    self_test: SelfTest | None = None
    rssi_dbm: int | None = None
    heap_free: int | None = None
    uptime_s: int | None = None
    noise_db: float | None = None
    drops: dict[str, int] = {}
    received: dict[str, Received] = {}
    slowed: int = 0
    gaps: int = 0
    problem: str | None = None


class EngineInfo(Record, frozen=True, kw_only=True):
    """An engine in use for a stage, and why it was chosen; `rough` works, but says that it is rough."""

    stage: Literal["speech", "transcribe", "diarize", "sounds", "tone"]
    name: str
    model: str = ""
    state: EngineState = "loading"
    reason: str = ""


class ModelJob(Record, frozen=True, kw_only=True):
    """What is being done with a model, or how it ended; bytes are those of the whole model, the sum about."""

    action: Literal["pull", "verify"]
    state: Literal["running", "done", "failed", "cancelled"]
    at_ms: int
    file: str = ""
    done_bytes: int = 0
    total_bytes: int | None = None
    message: str = ""


class ModelInfo(Record, frozen=True, kw_only=True):
    """A model that Minerva knows, and how it stands on the hub's disk.

    `size_mb` is what pulling it downloads, about; `bytes` is what is here. `trust`: whether upstream states
    the hashes of its files, or some were recorded when they first came. `gated`: only its owner can fetch it.
    """

    name: str
    kind: str
    stage: ModelStage
    source: str
    licence: str
    input: str
    size_mb: int
    gated: bool = False
    note: str = ""
    state: ModelState = "absent"
    reason: str = ""
    bytes: int = 0
    revision: str = ""
    trust: Literal["stated", "recorded"] | None = None
    pulled_ms: int | None = None
    verified_ms: int | None = None
    job: ModelJob | None = None


class Login(Record, frozen=True, kw_only=True):
    """A login of the owner; `id_hash` is the SHA-256 of what its cookie holds."""

    id_hash: str
    created_ms: int
    expires_ms: int
    address: str
    agent: str


class FailedAttempts(Record, frozen=True, kw_only=True):
    """Wrong passwords or device tokens from one address; `who` is what it called itself."""

    kind: Literal["password", "token"]
    address: str
    who: str
    count: int
    last_ms: int


class CfVoiceInfo(Record, frozen=True, kw_only=True):
    """The cf-voice port, while it is on: where, who may use it, and from which addresses sound comes now."""

    address: str
    allow: tuple[str, ...] = ()
    sessions: int = 0
    listening: tuple[str, ...] = ()


class HubHealth(Record, frozen=True, kw_only=True):
    """What /api/health says; `work` is what recognisers did: jobs, ms, encoder frames of 10 ms."""

    version: str
    hub_id: str
    started_ms: int
    engines: tuple[EngineInfo, ...]
    warnings: tuple[str, ...] = ()
    devices_online: int = 0
    queues: dict[str, int] = {}
    drops: dict[str, int] = {}
    work: dict[str, int] = {}
    failed: tuple[FailedAttempts, ...] = ()
    cf_voice: CfVoiceInfo | None = None


class Artifact(Record, frozen=True, kw_only=True):
    """One file of a release as devices fetch it; the hashes are hex."""

    filename: str
    size: int
    sha1: str
    md5: str
    sha256: str


class NewRelease(Record, frozen=True, kw_only=True):
    """A verified release, not stored yet; `digest` is the SHA-256 of its manifest, `signers` are key ids."""

    name: str
    version: str
    security_version: int
    kind: str
    variant: str
    boards: tuple[str, ...]
    abi: str
    created_s: int
    expires_s: int
    signers: tuple[str, ...]
    files: int
    size: int
    digest: str
    added_ms: int
    artifacts: tuple[Artifact, ...]


class Release(NewRelease, frozen=True, kw_only=True):
    """A release that devices may be updated to; `rollouts` is how many name it."""

    id: int
    rollouts: int = 0


class RefusedRelease(Record, frozen=True, kw_only=True):
    """An upload that was refused; `code` is one of docs/ota.md, `name` and `version` what it claims to be."""

    at_ms: int
    code: str
    message: str
    name: str = ""
    version: str = ""


class TrustedKeys(Record, frozen=True, kw_only=True):
    """The key set that releases must be signed by; `keys` are key ids, `text` the key set itself."""

    version: int
    threshold: int
    keys: tuple[str, ...]
    text: str
    at_ms: int


class Group(Record, frozen=True, kw_only=True):
    """Devices that the owner named together."""

    name: str
    devices: tuple[str, ...] = ()


class StageInfo(Record, frozen=True, kw_only=True):
    """One stage of a rollout: its devices counted by state; 0 is the canaries."""

    stage: int
    devices: dict[ActionState, int] = {}


class Rollout(Record, frozen=True, kw_only=True):
    """A campaign: which release goes to which devices, by which steps, and how far it is.

    `target` says in words which devices; `stage` is the one whose devices are offered the release. Thresholds
    are percentages of a stage. `silent` devices have an open update and said nothing of it for `silent_s`.
    """

    id: int
    release: int
    version: str
    target: str
    state: RolloutState
    reason: str
    created_ms: int
    changed_ms: int
    stage: int
    success_percent: int
    error_percent: int
    silent_s: int
    stages: tuple[StageInfo, ...] = ()
    silent: int = 0
    skipped: dict[str, str] = {}


class Action(Record, frozen=True, kw_only=True):
    """The update of one device within a rollout; `progress` 0 to 100, `detail` what the device said last."""

    id: int
    rollout: int
    release: int
    version: str
    device: str
    stage: int
    state: ActionState
    detail: str
    progress: int | None
    created_ms: int
    changed_ms: int
    silent: bool = False


class Feedback(Record, frozen=True, kw_only=True):
    """What a device told the update server about an action, in hawkBit's words."""

    action: int
    at_ms: int
    execution: str
    finished: str
    progress: int | None = None
    details: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of what goes over the bus and out by SSE; `type` tells them apart."""


class UtteranceAdded(Event, frozen=True, kw_only=True, tag="utterance"):
    """An utterance was committed; `late_s`: how long its sound had waited for that, 0 when not too long."""

    utterance: Utterance
    late_s: int = 0


class Speaking(Event, frozen=True, kw_only=True, tag="speaking"):
    """Somebody speaks, or what they said is being written down; `idle` ends it.

    A device has at most one of these going on.
    """

    device: str
    room: str
    state: Literal["speaking", "transcribing", "idle"]
    since_ms: int


class Partial(Event, frozen=True, kw_only=True, tag="partial"):
    """The words so far of somebody who is still speaking: `since_ms` is when that began, as in `speaking`.

    `committed` only grows until the utterance comes, whose text begins with it (or several utterances, where
    several people spoke); `tail` may change. Together at most 2000 characters. `until_ms` is the end of the
    sound that they were heard in.
    """

    device: str
    room: str
    since_ms: int
    until_ms: int
    committed: str
    tail: str


class Level(Event, frozen=True, kw_only=True, tag="level"):
    """The level of a room's microphone, dBFS; at most a few a second."""

    device: str
    rms_db: float
    peak_db: float
    at_ms: int


class SoundHeard(Event, frozen=True, kw_only=True, tag="sound"):
    """A sound event was stored."""

    sound: Sound


class SessionChanged(Event, frozen=True, kw_only=True, tag="session"):
    """A session began, ended or changed its speakers."""

    session: Session


class SpeakersChanged(Event, frozen=True, kw_only=True, tag="speakers"):
    """Utterances of a session got other speaker labels: utterance id (as text) to label."""

    session_id: int
    speakers: dict[str, str]


class SessionRemoved(Event, frozen=True, kw_only=True, tag="session_removed"):
    """A session was deleted with all that was said in it; whoever shows it takes it away."""

    id: int


class DeviceChanged(Event, frozen=True, kw_only=True, tag="device"):
    """A device came, went or changed its state."""

    device: DeviceInfo


class DeviceRemoved(Event, frozen=True, kw_only=True, tag="device_removed"):
    """A device was removed from the registry."""

    id: str


class GapRecorded(Event, frozen=True, kw_only=True, tag="gap"):
    """A stretch of audio was lost."""

    gap: Gap


class RolloutChanged(Event, frozen=True, kw_only=True, tag="rollout"):
    """A rollout began, went on, or changed its state; at most a few a second for each."""

    rollout: Rollout


class ReleasesChanged(Event, frozen=True, kw_only=True, tag="releases"):
    """A release was added, removed or refused, or other keys are trusted: fetch /api/releases again."""


class ModelChanged(Event, frozen=True, kw_only=True, tag="model"):
    """A model is being pulled or verified, came, or went; at most a few a second."""

    model: ModelInfo


class HealthChanged(Event, frozen=True, kw_only=True, tag="health"):
    """An engine finished loading, failed, or a warning came up."""

    health: HubHealth


BusEvent = (
    UtteranceAdded
    | Speaking
    | Partial
    | Level
    | SoundHeard
    | SessionChanged
    | SessionRemoved
    | SpeakersChanged
    | DeviceChanged
    | DeviceRemoved
    | GapRecorded
    | HealthChanged
    | RolloutChanged
    | ReleasesChanged
    | ModelChanged
)


class Snapshot(Event, frozen=True, kw_only=True, tag="snapshot"):
    """How things stand when a client of /api/events connects: the first event, later ones change it."""

    devices: tuple[DeviceInfo, ...]
    health: HubHealth
    speaking: tuple[Speaking, ...]
    partials: tuple[Partial, ...] = ()


class Dropped(Event, frozen=True, kw_only=True, tag="dropped"):
    """A client of /api/events read too slowly: `count` events since the last of these were not sent to it."""

    count: int


StreamEvent = BusEvent | Snapshot | Dropped
