"""Log-mel on the host: what a second of audio costs in Rust, and beside it in scipy and elsewhere.

All take the same recording in turn, in one process with one thread on one core; the crate mel_spec takes it
in another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from minerva_hub.errors import MinervaError

from minerva_tools.bench._mel import IN_A_ROW, RATE, Sound, Timed
from minerva_tools.conversation import load_demo
from minerva_tools.measure import Result, at_most, figure, not_measured
from minerva_tools.sim import ROOT

OURS: Final = "whisper80"
OWN: Final = (OURS, "whisper128", "mel64")  # in minerva_native
MAX_OF_SCIPY: Final = 0.35
LENGTHS_S: Final = {1: 100, 30: 10}  # an utterance and Whisper's window; rounds of each
RIVALS: Final = ("faster_whisper", "kaldi_native_fbank", "librosa", "mel_spec")
TIMEOUT_S: Final = 300.0
BUILD_S: Final = 1800.0
FULL_SCALE: Final = np.float32(0.7)


class MelBenchError(MinervaError):
    """A process of the bench did not come to an end as it should."""


def run() -> Iterable[Result]:
    """Measure at both lengths. A rival that is not installed is skipped, visibly; ours must be there."""
    program, missing = _mel_spec()
    for seconds, rounds in LENGTHS_S.items():
        sound = _recording(seconds)
        timed = _measure(sound, rounds)
        least = dict(timed.least_s)
        skipped = dict(timed.skipped)
        if program is None:
            skipped["mel_spec"] = missing
        else:
            least["mel_spec"] = float(_run([str(program), str(rounds * IN_A_ROW)], sound))
        yield from results(seconds, least, skipped)


def results(seconds: int, least: dict[str, float], skipped: dict[str, str]) -> Iterable[Result]:
    """Seconds that each took for a recording -> what a second costs, and ratios of ours to the others."""
    told = f"for a second of audio, from {seconds} s of the bundled conversation; least of many"
    for name, reason in skipped.items():
        key = f"{name}_{seconds}s"
        if name in OWN:
            yield not_measured(key, "us/s", f"{reason}: make native")
            continue
        yield Result(name=key, value=None, unit="us/s", ok=True, conditions="", error=f"skipped: {reason}")
    for name, took in least.items():
        yield figure(f"{name}_{seconds}s", took / seconds * 1e6, "us/s", told)
    if OURS not in least:
        return
    yield at_most(
        f"of_scipy_{seconds}s", least[OURS] / least["scipy"], "x", MAX_OF_SCIPY, "whisper80 over scipy"
    )
    for rival in RIVALS:
        if rival in least:
            ratio = least[OURS] / least[rival]
            yield at_most(f"of_{rival}_{seconds}s", ratio, "x", 1.0, f"whisper80 over {rival}")


def _recording(seconds: int) -> Sound:
    """float32 (n,): both rooms' sound, one after the other, over and over, to full scale."""
    pcm = np.concatenate(list(load_demo().sound.values())).astype(np.float32)
    return np.resize(pcm * (FULL_SCALE / np.abs(pcm).max()), seconds * RATE)


def _measure(sound: Sound, rounds: int) -> Timed:
    said = _run([sys.executable, "-m", "minerva_tools.bench._mel", str(rounds)], sound)
    return msgspec.json.decode(said, type=Timed)


def _run(command: list[str], sound: Sound) -> bytes:
    """What a process with one thread says of `sound`."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}
    done = subprocess.run(
        _pinned(command),
        input=sound.tobytes(),
        env={**os.environ, **one},
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise MelBenchError(f"{Path(command[0]).name}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def _pinned(command: list[str]) -> list[str]:
    """On one core, where there is a way to say so."""
    taskset = shutil.which("taskset")
    if taskset is None or not hasattr(os, "sched_getaffinity"):
        return command
    return [taskset, "--cpu-list", str(max(os.sched_getaffinity(0))), *command]


def _mel_spec() -> tuple[Path | None, str]:
    """The program that times mel_spec, built where cargo is; else None and why."""
    folder = ROOT / "firmware_rs" / "rivals"
    cargo = shutil.which("cargo")
    if cargo is None or not folder.is_dir():
        return None, "no cargo" if cargo is None else "not a clone of the project"
    target = ROOT / ".cache" / "rivals"
    program = target / "release" / "minerva-rivals"
    if not program.is_file():
        print("mel: building mel_spec, some minutes the first time", file=sys.stderr, flush=True)
    flags = {} if "RUSTFLAGS" in os.environ or not _has_avx2() else {"RUSTFLAGS": "-Ctarget-cpu=x86-64-v3"}
    built = subprocess.run(
        [cargo, "build", "--quiet", "--release", "--locked", "--target-dir", str(target)],
        cwd=folder,
        env={**os.environ, **flags},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    if built.returncode != 0:
        return None, built.stderr.strip().splitlines()[-1] if built.stderr.strip() else "it was not built"
    return program, ""


def _has_avx2() -> bool:
    """As scripts/build-native.sh asks: ours is compiled for the same processor."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and "avx2" in info.read_text().split()
