"""Where model files are on this disk. Nothing here downloads, imports an engine or opens a socket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from minerva_hub.errors import UnknownItemError, UserError
from minerva_hub.models import checking, listing
from minerva_hub.models.listing import Kind, Model, find_model

# Names that people give to Whisper models, and the repositories of their CTranslate2 files: faster-whisper's.
_SYSTRAN: Final = (
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large-v1", "large-v2", "large-v3"),
)
WHISPER_REPOSITORIES: Final = {
    **{name: f"Systran/faster-whisper-{name}" for name in _SYSTRAN},
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    **{
        f"distil-{name}": f"Systran/faster-distil-whisper-{name}"
        for name in ("small.en", "medium.en", "large-v2", "large-v3")
    },
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
# Without tokenizer.json the engine would ask the internet for one.
WHISPER_FILES: Final = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is complete on this disk: the name asked for, its folder, its file if it is one only."""

    name: str
    folder: Path
    file: str = ""

    @property
    def path(self) -> Path:
        """What an engine loads: the file, or the folder."""
        return self.folder / self.file


@dataclass(frozen=True, slots=True)
class Missing:
    """A model that is not, or not wholly, on this disk; `reason` says what was looked for and where.

    `damaged` means that there are files which must not be loaded.
    """

    name: str
    reason: str
    damaged: bool = False


def find_whisper(model: str, *, models: Path | None = None, cache: Path | None = None) -> Found | Missing:
    """The Whisper model in the folder `model`; or of that name, in `models` or the Hugging Face cache."""
    if not model.strip():
        return Missing(model, "no Whisper model is named")
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checked(model, folder)
    if folder.is_absolute() or model.startswith(("~", ".")):
        return Missing(model, f"there is no folder {model}")
    managed = _managed(models, model, "whisper")
    if isinstance(managed, Found) or (managed is not None and managed.damaged):
        return managed
    repository = WHISPER_REPOSITORIES.get(model, model)
    if repository.count("/") != 1:
        known = ", ".join(WHISPER_REPOSITORIES)
        return Missing(model, f"{model!r} is neither a folder, nor owner/name, nor one of {known}")
    cache = cache or hugging_face_cache()
    snapshot = _snapshot(cache / f"models--{repository.replace('/', '--')}")
    if snapshot is None:
        also = f"{managed.reason}, and " if managed is not None else ""
        return Missing(model, f"{also}{repository} is not in {cache}")
    return _checked(model, snapshot)


def find_segmentation(models: Path) -> Found | Missing:
    """sherpa-onnx's speaker segmentation (`path`: an ONNX file) in the folder of the models."""
    return _first(models, "sherpa-segmentation")


def find_embedding(models: Path, name: str = "") -> Found | Missing:
    """sherpa-onnx's speaker embedding of that name, or the first that is there (`path`: an ONNX file)."""
    return _first(models, "sherpa-embedding", name)


def find_yamnet(models: Path) -> Found | Missing:
    """YAMNet (`path`: a TFLite file, 15,600 samples of 16 kHz -> 521 scores)."""
    return _first(models, "yamnet")


def find_wav2vec2(models: Path, name: str = "") -> Found | Missing:
    """A wav2vec2 emotion model (`path`: a folder for transformers), pulled or in the Hugging Face cache."""
    return _first(models, "wav2vec2", name)


def find_pyannote(models: Path, name: str = "") -> Found | Missing:
    """pyannote.audio's pipeline (`path`: a folder with config.yaml), put there by its owner, or as above."""
    return _first(models, "pyannote", name)


def hugging_face_cache() -> Path:
    """The folder in which Hugging Face's tools keep models, as their environment variables say."""
    if hub := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(hub).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base.expanduser() / "huggingface" / "hub"


def _first(models: Path, kind: Kind, name: str = "") -> Found | Missing:
    """The first of a kind that can be loaded, in the list's order; otherwise why the first of them cannot."""
    wanted = [one for one in listing.catalogue() if one.kind == kind and name in ("", one.name, *one.aliases)]
    if not wanted:
        return Missing(name, f"there is no model {name!r} of the kind {kind}")
    missing: list[Missing] = []
    for one in wanted:
        found = _gated(models, one) if one.gated else _managed(models, one.name, kind)
        if not isinstance(found, Found) and one.source.startswith("https://huggingface.co/"):
            found = _cached(one) or found
        if isinstance(found, Found):
            return found
        if found is not None:
            missing.append(found)
    return next((one for one in missing if one.damaged), missing[0])


def _managed(models: Path | None, name: str, kind: Kind) -> Found | Missing | None:
    """The model in the folder that `minerva models pull` fills; None where the list has none of that name."""
    if models is None:
        return None
    try:
        model = find_model(name)
    except UnknownItemError:
        return None
    if model.kind != kind:
        return None
    try:
        found = checking.ready(models, model)
    except (OSError, UserError) as error:
        return Missing(name, f"{model.name} cannot be verified: {error}", damaged=True)
    if found.state == "ready":
        files = [file.name for file in model.file]
        return Found(name, checking.model_folder(models, model), files[0] if len(files) == 1 else "")
    if found.state == "damaged":
        again = f"minerva models pull {model.name} puts it right"
        return Missing(name, f"the model {model.name} is damaged: {found.reason}; {again}", damaged=True)
    return Missing(name, f"{model.name} is not in {models} (minerva models pull {model.name})")


def _gated(models: Path, model: Model) -> Found | Missing:
    """A model that its owner put there: there are no hashes to hold it against."""
    folder = checking.model_folder(models, model)
    if (folder / "config.yaml").is_file():
        return Found(model.name, folder)
    return Missing(model.name, f"{model.name} is not in {models}; docs/models.md says how to get it")


def _cached(model: Model) -> Found | None:
    """As Hugging Face's tools keep it."""
    repository = model.source.removeprefix("https://huggingface.co/")
    snapshot = _snapshot(hugging_face_cache() / f"models--{repository.replace('/', '--')}")
    needed = [file.name for file in model.file] or ["config.yaml"]
    if snapshot is None or any(not (snapshot / name).is_file() for name in needed):
        return None
    return Found(model.name, snapshot)


def _snapshot(repository: Path) -> Path | None:
    """The snapshot that the branch main points at."""
    try:
        revision = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if revision and snapshot.is_dir() else None


def _checked(model: str, folder: Path) -> Found | Missing:
    lacking = [name for name in WHISPER_FILES if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in ("vocabulary.json", "vocabulary.txt")):
        lacking.append("vocabulary.json")
    if lacking:
        return Missing(model, f"{folder} lacks {', '.join(lacking)}")
    return Found(model, folder)
