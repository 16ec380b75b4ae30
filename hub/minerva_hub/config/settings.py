"""The settings themselves: minerva.toml, the environment and the command's flags derive from these structs.

A field's bounds and help stand in its `Annotated[..., Meta(...)]`, once, for all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections of minerva.toml."""


class ServerConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[server]: where the page and /link listen: plain HTTP for this machine, TLS for the network."""

    host: Annotated[str, Meta(description="loopback address of plain HTTP, for this machine only")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port of plain HTTP; 0 takes a free one")] = (
        8484
    )
    tls: Annotated[
        bool, Meta(description="serve devices and browsers on the network, encrypted, with the owner's login")
    ] = True
    tls_host: Annotated[
        str,
        Meta(max_length=253, description="address to listen on with TLS; empty for every one"),
    ] = ""
    tls_port: Annotated[int, Meta(ge=0, le=65535, description="TCP port of TLS; 0 takes a free one")] = 8443
    names: Annotated[
        str,
        Meta(
            max_length=1024,
            description="further host names and addresses of this hub, apart by blanks, for its certificate",
        ),
    ] = ""


class StoreConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[store]: where the timeline is kept."""

    path: Annotated[Path, Meta(description="folder of the database, made when missing")] = field(
        default_factory=lambda: Path.home() / ".local" / "share" / "minerva"
    )


class ModelsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[models]: where models are that `minerva models pull` or the page's button fetched."""

    path: Annotated[Path, Meta(description="folder of pulled models, made when one is pulled")] = field(
        default_factory=lambda: Path.home() / ".local" / "share" / "minerva" / "models"
    )


class IngestConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[ingest]: what a device may send."""

    kind: Annotated[
        Literal["ima_adpcm", "pcm_s16le"], Meta(description="media kind asked of devices that have it")
    ] = "ima_adpcm"
    backlog_s: Annotated[
        float, Meta(ge=1, le=120, description="audio of one device that may wait for the speech detector")
    ] = 20.0
    lead_ms: Annotated[
        int, Meta(ge=100, le=60000, description="how far ahead of real time a device's audio may run")
    ] = 3000


class SegmentConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[segment]: when a stretch of a stream counts as speech."""

    threshold: Annotated[float, Meta(gt=0, lt=1, description="speech probability that begins a segment")] = (
        0.5
    )
    release: Annotated[float, Meta(gt=0, lt=1, description="speech probability below which speech ends")] = (
        0.35
    )
    min_speech_ms: Annotated[int, Meta(ge=32, le=5000, description="shorter bursts are not speech")] = 160
    max_segment_s: Annotated[
        float, Meta(ge=2, le=30, description="longer speech is cut at its quietest point")
    ] = 20.0
    hangover_ms: Annotated[int, Meta(ge=64, le=3000, description="silence that ends a segment")] = 480
    pre_roll_ms: Annotated[int, Meta(ge=0, le=2000, description="audio kept from before the speech")] = 240
    floor_db: Annotated[
        float, Meta(ge=-100, le=0, description="windows quieter than this (dBFS) are never speech")
    ] = -62.0


class TranscribeConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[transcribe]: which engine writes down the words."""

    engine: Annotated[
        Literal["auto", "faster-whisper", "pocketsphinx"],
        Meta(description="auto takes faster-whisper when a model is on disk, else pocketsphinx"),
    ] = "auto"
    model: Annotated[
        str,
        Meta(
            description="Whisper model: a folder, or the name of one that was pulled or is in the usual cache"
        ),
    ] = "base"
    language: Annotated[str, Meta(min_length=2, max_length=8, description="language code, or auto")] = "en"
    languages: Annotated[
        str,
        Meta(
            max_length=200, description="with language auto: what is spoken here, as en, de; empty: anything"
        ),
    ] = ""
    vocabulary: Annotated[
        str,
        Meta(
            max_length=600,
            description="names and words that Whisper should expect, as Minerva, Ada; de: Kessel, Herd",
        ),
    ] = ""
    workers: Annotated[int, Meta(ge=1, le=16, description="transcriptions at once, one thread each")] = 2
    beam: Annotated[int, Meta(ge=1, le=10, description="beam width of Whisper")] = 1
    partials: Annotated[bool, Meta(description="text while people are still speaking")] = True
    pace_min_s: Annotated[
        float, Meta(ge=0.2, le=10, description="partials of a device come no faster than this")
    ] = 0.7
    pace_max_s: Annotated[
        float, Meta(ge=0.2, le=60, description="nor are they asked for more slowly, however busy the hub")
    ] = 5.0
    short_windows: Annotated[
        bool,
        Meta(description="for partials Whisper encodes no more than was said: faster, accuracy unknown"),
    ] = False
    job_limit_s: Annotated[
        float,
        Meta(ge=5, le=3600, description="an engine that works longer on one segment hangs: it is replaced"),
    ] = 120.0


class DiarizeConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[diarize]: who is speaking."""

    engine: Annotated[
        Literal["auto", "sherpa-onnx", "pyannote", "builtin", "off"],
        Meta(
            description="auto takes sherpa-onnx when its models and library are here, else the built-in "
            "engine; off labels everybody Speaker A"
        ),
    ] = "auto"
    segmentation: Annotated[
        str,
        Meta(
            max_length=4096, description="sherpa-onnx's segmentation model, an ONNX file; empty: pulled one"
        ),
    ] = ""
    embedding: Annotated[
        str,
        Meta(
            max_length=4096,
            description="sherpa-onnx's speaker embedding: an ONNX file, or a pulled model's name; empty: any",
        ),
    ] = ""
    pipeline: Annotated[
        str,
        Meta(
            max_length=4096, description="folder of a pyannote.audio pipeline; empty: the one in the models"
        ),
    ] = ""
    speakers: Annotated[
        int, Meta(ge=0, le=26, description="how many speak in each session; 0 when that is not known")
    ] = 0
    min_speakers: Annotated[int, Meta(ge=1, le=26, description="speakers in one session at least")] = 1
    max_speakers: Annotated[int, Meta(ge=1, le=26, description="speakers in one session at most")] = 8


class ToneConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[tone]: how it was said."""

    engine: Annotated[
        Literal["auto", "prosody", "wav2vec2", "off"],
        Meta(description="auto takes wav2vec2 when its model and libraries are here, else prosody alone"),
    ] = "auto"
    model: Annotated[
        str,
        Meta(max_length=4096, description="folder of a wav2vec2 emotion classifier; empty for a pulled one"),
    ] = ""


class SoundsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sounds]: which engine names what is not speech, and how readily."""

    engine: Annotated[
        Literal["auto", "own", "yamnet", "off"],
        Meta(description="auto takes YAMNet when its file is on disk, else Minerva's own small network"),
    ] = "auto"
    sensitivity: Annotated[
        float,
        Meta(ge=-4, le=4, description="above 0 more sounds are reported, and more of them wrongly"),
    ] = 0.0


class SessionConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[session]: when a conversation ends."""

    quiet_s: Annotated[float, Meta(ge=10, le=86400, description="quiet that ends a session")] = 300.0


class CfVoiceConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[cf_voice]: a port for programs that speak to cf-voice; it knows no password."""

    enabled: Annotated[
        bool, Meta(description="take sound from programs of the cf-voice family, and tell them what it was")
    ] = False
    host: Annotated[
        str,
        Meta(max_length=45, description="address to listen on; beyond loopback only with cf_voice.allow"),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 takes a free one")] = 8487
    allow: Annotated[
        str,
        Meta(
            max_length=1024,
            description="who may come in besides this machine: addresses or networks, apart by blanks",
        ),
    ] = ""


class HubConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections of minerva.toml."""

    server: ServerConfig = ServerConfig()
    store: StoreConfig = field(default_factory=StoreConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    ingest: IngestConfig = IngestConfig()
    segment: SegmentConfig = SegmentConfig()
    transcribe: TranscribeConfig = TranscribeConfig()
    diarize: DiarizeConfig = DiarizeConfig()
    sounds: SoundsConfig = SoundsConfig()
    tone: ToneConfig = ToneConfig()
    session: SessionConfig = SessionConfig()
    cf_voice: CfVoiceConfig = CfVoiceConfig()
