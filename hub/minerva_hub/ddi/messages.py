"""hawkBit's DDI messages as structs: what devices send, bounded, and what they are answered.

Fields that are not named here are ignored, as hawkBit's clients send more than it reads: ids, times, codes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

MAX_BODY = 16 * 1024  # bytes; ours send 300, hawkBit's clients a few lines of log
MAX_DETAILS = 50  # as hawkBit
DETAIL_SHOWN = 512  # characters, as hawkBit
MAX_ATTRIBUTES = 32
MAX_KEY, MAX_VALUE = 128, 128  # characters, as hawkBit

Execution = Literal[
    "closed", "proceeding", "canceled", "scheduled", "rejected", "resumed", "download", "downloaded"
]
Finished = Literal["none", "success", "failure"]
_Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY)]
_Value = Annotated[str, Meta(max_length=MAX_VALUE)]


class Progress(Struct, frozen=True):
    """How far: `cnt` of `of`."""

    cnt: int | None = None
    of: int | None = None


class Result(Struct, frozen=True):
    """How it ended."""

    finished: Finished = "none"
    progress: Progress | None = None


class Status(Struct, frozen=True):
    """What a device does, or did, about an action."""

    execution: Execution
    result: Result = Result()
    details: Annotated[tuple[str, ...], Meta(max_length=MAX_DETAILS)] | None = None

    @property
    def percent(self) -> int | None:
        """The progress, 0 to 100, where the device gave one that can be."""
        at = self.result.progress
        if at is None or at.cnt is None or not at.of or not 0 <= at.cnt <= at.of:
            return None
        return 100 * at.cnt // at.of

    @property
    def lines(self) -> tuple[str, ...]:
        """The details, cut to what is kept."""
        return tuple(line[:DETAIL_SHOWN] for line in self.details or () if line)


class ActionFeedback(Struct, frozen=True):
    """Body of the two feedback resources."""

    status: Status


class ConfigData(Struct, frozen=True):
    """Body of configData: what a device says of itself."""

    data: Annotated[dict[_Key, _Value], Meta(max_length=MAX_ATTRIBUTES)]
    mode: Literal["merge", "replace", "remove"] = "merge"


class Link(Struct, frozen=True):
    """Where something is."""

    href: str


class Polling(Struct, frozen=True):
    """How long to wait between two questions, HH:MM:SS."""

    sleep: str


class Config(Struct, frozen=True):
    """What holds for the device."""

    polling: Polling


class BaseLinks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What there is to do."""

    deployment_base: Link | None = field(name="deploymentBase", default=None)
    cancel_action: Link | None = field(name="cancelAction", default=None)
    installed_base: Link | None = field(name="installedBase", default=None)
    config_data: Link | None = field(name="configData", default=None)


class Base(Struct, frozen=True, kw_only=True):
    """The answer to a poll."""

    config: Config
    links: BaseLinks = field(name="_links")


class Hashes(Struct, frozen=True):
    """Of a file, in hex."""

    sha1: str
    md5: str
    sha256: str = ""


class ArtifactLinks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a file is: hawkBit calls it so over TLS and over plain HTTP."""

    download: Link | None = None
    download_http: Link | None = field(name="download-http", default=None)


class DdiArtifact(Struct, frozen=True, kw_only=True):
    """A file to fetch."""

    filename: str
    hashes: Hashes
    size: int
    links: ArtifactLinks = field(name="_links")


class Chunk(Struct, frozen=True, kw_only=True):
    """A software module."""

    part: str
    version: str
    name: str
    artifacts: tuple[DdiArtifact, ...]


class Deployment(Struct, frozen=True, kw_only=True):
    """What to fetch and install."""

    download: Literal["skip", "attempt", "forced"] = "forced"
    update: Literal["skip", "attempt", "forced"] = "forced"
    chunks: tuple[Chunk, ...]


class DeploymentBase(Struct, frozen=True, kw_only=True):
    """An action."""

    id: str
    deployment: Deployment


class StopId(Struct, frozen=True, kw_only=True):
    """The action to give up."""

    stop_id: str = field(name="stopId")


class CancelAction(Struct, frozen=True, kw_only=True):
    """A wish that an action be given up."""

    id: str
    cancel_action: StopId = field(name="cancelAction")


class ErrorBody(Struct, frozen=True, kw_only=True):
    """hawkBit's body of an error; its clients know some of the codes, its spelling included."""

    exception_class: str = field(name="exceptionClass")
    error_code: str = field(name="errorCode")
    message: str


encode = msgspec.json.Encoder().encode
