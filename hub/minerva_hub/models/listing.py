"""The models that Minerva knows, from models/models.toml: what they are, whence, and their hashes."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from minerva_hub.errors import UnknownItemError
from minerva_hub.events import ModelStage

Kind = Literal["whisper", "sherpa-segmentation", "sherpa-embedding", "pyannote", "yamnet", "wav2vec2"]
STAGES: Final[dict[Kind, ModelStage]] = {
    "whisper": "transcribe",
    "sherpa-segmentation": "diarize",
    "sherpa-embedding": "diarize",
    "pyannote": "diarize",
    "yamnet": "sounds",
    "wav2vec2": "tone",
}
# In a clone the list is models/models.toml itself; in an installed hub its copy, which setup.py makes.
CLONE: Final = Path(__file__).parents[3] / "models"
SHIPPED: Final = Path(__file__).parent / "shipped"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
# No separators and no leading dot: a name is one file in the model's own folder, whatever the list says.
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}\Z")]
ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}\Z", description="a model's name")]
Size = Annotated[int, Meta(ge=1, le=1 << 40)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1024)]


class ModelFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model; `size` in bytes and `sha256` where they are stated."""

    name: FileName
    url: Url | None = None
    size: Size | None = None
    sha256: Sha256 | None = None


class Archive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The .tar.bz2 or .tar.gz that a model's files come in, and the folder in it where they are."""

    url: Url
    folder: str
    size: Size | None = None
    sha256: Sha256 | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of models.toml; the comment there says what the fields mean."""

    name: ModelName
    kind: Kind
    source: Url
    licence: str
    input: str
    size_mb: Annotated[int, Meta(ge=1, le=100_000)]
    aliases: tuple[str, ...] = ()
    revision: str = ""
    gated: bool = False
    note: str = ""
    archive: Archive | None = None
    file: tuple[ModelFile, ...] = ()

    @property
    def stage(self) -> ModelStage:
        """What it is for."""
        return STAGES[self.kind]

    @property
    def max_bytes(self) -> int:
        """The most that pulling it may download: half as much again as stated, for another file's end."""
        return self.size_mb * 1_500_000

    def url_of(self, file: ModelFile, revision: str = "") -> str:
        """Where a file is; `revision` where the list states none, otherwise the newest."""
        return file.url or f"{self.source}/resolve/{self.revision or revision or 'main'}/{file.name}"


class OwnModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table [[own]] of models.toml: a network that Minerva trained and that comes with it."""

    name: ModelName
    stage: ModelStage
    file: FileName
    size: Size
    sha256: Sha256
    licence: str
    input: str
    card: str


class _List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: tuple[Model, ...]
    own: tuple[OwnModel, ...] = ()


def shipped(name: str) -> Path:
    """A file that comes with Minerva in models/ (models.toml, networks of its own); it may be missing."""
    return next((folder / name for folder in (CLONE, SHIPPED) if (folder / name).is_file()), SHIPPED / name)


def read(text: str) -> tuple[Model, ...]:
    """The models of a list; ValueError when it is none, or names one twice."""
    models = msgspec.convert(tomllib.loads(text), _List).model
    names = [name for model in models for name in (model.name, *model.aliases)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two models are called {', '.join(twice)}")
    return models


@cache
def catalogue() -> tuple[Model, ...]:
    """All models of models/models.toml."""
    return read(shipped("models.toml").read_text(encoding="utf-8"))


@cache
def own_models() -> tuple[OwnModel, ...]:
    """The networks that come with Minerva, of models/models.toml."""
    return msgspec.convert(tomllib.loads(shipped("models.toml").read_text(encoding="utf-8")), _List).own


def find_model(name: str, models: Iterable[Model] | None = None) -> Model:
    """The model of that name or alias; UnknownItemError names those there are."""
    known = {one: model for model in (models or catalogue()) for one in (model.name, *model.aliases)}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, list(known), n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise UnknownItemError(f"there is no model {name[:80]!r}{meant}; `minerva models list` shows them")
