"""Where model files are on this disk. Nothing here downloads, imports an engine or opens a socket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Names that people give to Whisper models, and the repositories with their CTranslate2 files.
_SYSTRAN: Final = (
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large-v1", "large-v2", "large-v3"),
)
WHISPER_REPOSITORIES: Final = {
    **{name: f"Systran/faster-whisper-{name}" for name in _SYSTRAN},
    "large": "Systran/faster-whisper-large-v3",
    **{
        f"distil-{name}": f"Systran/faster-distil-whisper-{name}"
        for name in ("small.en", "medium.en", "large-v2", "large-v3")
    },
}
# Without tokenizer.json the engine would ask the internet for one.
WHISPER_FILES: Final = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is complete on this disk: the name that was asked for, and its folder."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Missing:
    """A model that is not, or not wholly, on this disk; `reason` says what was looked for and where."""

    name: str
    reason: str


def find_whisper(model: str, *, cache: Path | None = None) -> Found | Missing:
    """The Whisper model in the folder `model`, or of that name in the Hugging Face cache."""
    if not model.strip():
        return Missing(model, "no Whisper model is named")
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checked(model, folder)
    if folder.is_absolute() or model.startswith(("~", ".")):
        return Missing(model, f"there is no folder {model}")
    repository = WHISPER_REPOSITORIES.get(model, model)
    if repository.count("/") != 1:
        known = ", ".join(WHISPER_REPOSITORIES)
        return Missing(model, f"{model!r} is neither a folder, nor owner/name, nor one of {known}")
    cache = cache or hugging_face_cache()
    snapshot = _snapshot(cache / f"models--{repository.replace('/', '--')}")
    if snapshot is None:
        return Missing(model, f"{repository} is not in {cache}")
    return _checked(model, snapshot)


def hugging_face_cache() -> Path:
    """The folder in which Hugging Face's tools keep models, as their environment variables say."""
    if hub := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(hub).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base.expanduser() / "huggingface" / "hub"


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
