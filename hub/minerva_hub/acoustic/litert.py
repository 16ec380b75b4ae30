"""Runs .tflite files: LiteRT, or tflite-runtime where that is what is installed."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from minerva_hub.errors import EngineUnavailableError

RUNTIMES: Final = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
MAX_BYTES: Final = 64 << 20  # YAMNet's largest file has 16 MB; a file that is bigger by far is another one
_IDENTIFIER: Final = b"TFL3"  # bytes 4 to 8 of every .tflite file


def runtime() -> Any:
    """The module that has `Interpreter`; EngineUnavailableError when none is installed."""
    for name in RUNTIMES:
        if find_spec(name.partition(".")[0]) is not None:
            return importlib.import_module(name)
    raise EngineUnavailableError("sounds need ai-edge-litert: pip install ai-edge-litert")


def load(path: Path) -> Any:
    """An interpreter on one thread, for `allocate`: the hub decides what runs beside what.

    EngineUnavailableError, naming the file, when it is missing, too large, truncated or of another kind.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise EngineUnavailableError(f"{path} has {size} bytes, a sound model at most {MAX_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise EngineUnavailableError(f"the sound model {path} cannot be read: {error.strerror}") from error
    if content[4:8] != _IDENTIFIER:
        raise EngineUnavailableError(
            f"{path} is no .tflite file: its bytes 4 to 8 are {content[4:8]!r}, not {_IDENTIFIER!r}"
        )
    try:
        module = runtime()
        # The delegate that it would take by itself rounds otherwise, and writes to standard error.
        kernels = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return module.Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=kernels)
    except (ValueError, RuntimeError) as error:
        raise EngineUnavailableError(
            f"{path} ({size} bytes) is truncated, damaged or not a model: {error}"
        ) from error


def allocate(interpreter: Any, path: Path) -> None:
    """Make room for the tensors; EngineUnavailableError, naming the file, when LiteRT cannot run it."""
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise EngineUnavailableError(f"{path} is not a model that LiteRT can run here: {error}") from error
