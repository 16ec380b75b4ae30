"""What a bench gives: results with their limits, and the conditions under which they were measured."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

_PACKAGES = (
    "minerva-hub",
    "aiohttp",
    "faster-whisper",
    "ctranslate2",
    "numpy",
    "onnxruntime",
    "pocketsphinx",
)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `limit` is an upper or a lower bound as `limit_is` says; None: printed beside the others.

    `conditions` says under what it holds. `error` says why there is no value, and then it is not ok.
    """

    name: str
    value: float | None
    unit: str
    limit: float | None = None
    limit_is: Literal["upper", "lower"] | None = None
    ok: bool
    conditions: str
    error: str | None = None


def at_most(name: str, value: float, unit: str, limit: float, conditions: str) -> Result:
    """A figure that misses its limit when it is above; NaN misses every limit."""
    return _result(name, value, unit, conditions, limit=limit, limit_is="upper", ok=value <= limit)


def at_least(name: str, value: float, unit: str, limit: float, conditions: str) -> Result:
    """A figure that misses its limit when it is below; NaN misses every limit."""
    return _result(name, value, unit, conditions, limit=limit, limit_is="lower", ok=value >= limit)


def figure(name: str, value: float, unit: str, conditions: str) -> Result:
    """A figure without a limit."""
    return _result(name, value, unit, conditions, ok=math.isfinite(value))


def not_measured(name: str, unit: str, why: str) -> Result:
    """What this bench is for and could not be had here: not ok, as a limit that is missed."""
    return Result(name=name, value=None, unit=unit, ok=False, conditions="", error=f"not measured: {why}")


def _result(
    name: str,
    value: float,
    unit: str,
    conditions: str,
    *,
    ok: bool,
    limit: float | None = None,
    limit_is: Literal["upper", "lower"] | None = None,
) -> Result:
    finite = math.isfinite(value)  # JSON has no NaN
    return Result(
        name=name,
        value=float(value) if finite else None,
        unit=unit,
        limit=limit,
        limit_is=limit_is,
        ok=bool(ok) and finite,
        conditions=conditions,
        error=None if finite else f"measured {value}",
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def conditions() -> dict[str, str | int]:
    """The machine and the versions that every figure depends on."""
    machine: dict[str, str | int] = {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    return machine | {name: version for name in _PACKAGES if (version := _version(name))}


def usable_cores() -> int:
    """The cores that this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as far as the system tells it."""
    if info.is_file():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
