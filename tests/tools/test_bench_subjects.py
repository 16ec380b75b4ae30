"""No bench is well without what it is for: each is run with that out of reach, and must say so."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from minerva_tools import benching, virtual
from minerva_tools.bench import gate, images, mel, powercut
from minerva_tools.bench._mel import Timed
from minerva_tools.images import Built, Sizes
from minerva_tools.measure import Result

Patch = pytest.MonkeyPatch
BENCHES = benching.available()


def no_cargo(monkeypatch: Patch, empty: Path) -> None:
    monkeypatch.setattr(powercut, "_micropython", lambda: ())
    monkeypatch.setattr(powercut.shutil, "which", lambda name: None)
    monkeypatch.setenv("CARGO", "no-such-cargo")
    monkeypatch.setenv("MINERVA_SIM", str(empty / "no-such-program"))


def no_micropython(monkeypatch: Patch, empty: Path) -> None:
    monkeypatch.setattr(powercut, "_rust", lambda: ())
    monkeypatch.setattr(virtual, "find_micropython", lambda arch="native": None)


def no_native(monkeypatch: Patch, empty: Path) -> None:
    monkeypatch.setattr(gate, "find_spec", lambda name: None)
    monkeypatch.setattr(mel, "_mel_spec", lambda: (None, "it is a rival"))
    skipped = dict.fromkeys(mel.OWN, "minerva_native is not installed")
    monkeypatch.setattr(mel, "_measure", lambda sound, rounds: Timed({"scipy": 1.0}, skipped))


def no_flite(monkeypatch: Patch, empty: Path) -> None:
    monkeypatch.setenv("PATH", str(empty))


# What is missing -> how its absence is told, and the benches whose subject it is.
SUBJECTS: dict[Callable[[Patch, Path], None], tuple[str, tuple[str, ...]]] = {
    no_cargo: ("cargo|MINERVA_SIM", ("images", "powercut", "sim")),
    no_micropython: ("no MicroPython", ("device", "ota_bytes", "powercut", "verify")),
    no_native: ("minerva_native", ("gate", "mel")),
    no_flite: ("flite is not installed", ("demo", "der", "sounds")),
}
# They measure the hub, which is in this package; `rollout` says under which interpreter its devices ran.
OURS = {"fairness", "latency", "load", "partials", "rollout", "store"}


def first_failure(name: str) -> str:
    """What `minerva bench` would tell of the first result that is not well; no bench goes on behind it."""
    try:
        results: list[Result] = []
        for result in importlib.import_module(BENCHES[name]).run():
            results.append(result)
            if not result.ok:
                return result.error or result.name
    except Exception as problem:
        return str(problem)
    pytest.fail(f"{name} is well without its subject: {results}")


def test_every_bench_says_what_it_needs() -> None:
    assert {name for _, names in SUBJECTS.values() for name in names} | OURS == set(BENCHES)


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        pytest.param(gone, name, id=f"{gone.__name__}-{name}")
        for gone, (_, names) in SUBJECTS.items()
        for name in names
    ],
)
def test_a_bench_fails_without_its_subject(
    monkeypatch: Patch, tmp_path: Path, gone: Callable[[Patch, Path], None], name: str
) -> None:
    gone(monkeypatch, tmp_path)
    assert re.search(SUBJECTS[gone][0], first_failure(name))


def test_an_image_that_is_not_built_is_not_left_out(monkeypatch: Patch) -> None:
    sizes = Sizes(flash=1_400_000, static=300_000, heap=200_000, reclaimed=64_000, stack=60_000)
    built = Built({"esp32c6": Path("elf")}, ("esp32c3 SKIPPED: no compiler",))
    monkeypatch.setattr(images, "build", lambda: built)
    monkeypatch.setattr(images, "measure", lambda chip, elf: sizes)
    found = {result.name: result for result in images.run()}
    assert found["esp32c6.flash"].ok and not found["esp32c3.flash"].ok
    assert found["esp32c3.flash"].error == "not measured: esp32c3 SKIPPED: no compiler"


LINE = '{"scenario": "update", "operations": 1, "points": 20000, "twice": 1, "bricked": %d, "unverified": 0}'


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ("", 101, "do not run"),  # it did not compile
        (LINE % 0, 101, "ended with 101 after update"),  # it broke in the middle
        (LINE % 1, 1, "rust.bricked"),
        (LINE % 0, 0, "bricked of nothing"),
    ],
)
def test_rusts_power_cuts_count_only_when_they_came_to_their_end(
    monkeypatch: Patch, tmp_path: Path, said: str, status: int, words: str
) -> None:
    cargo = tmp_path / "cargo"
    cargo.write_text(f"#!/bin/sh\n[ -z '{said}' ] || echo '{said}'\nexit {status}\n")
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    nothing = Result(name="bricked of nothing", value=None, unit="", ok=False, conditions="")
    monkeypatch.setattr(powercut, "_micropython", lambda: [nothing])  # where the Rust part was well
    assert words in first_failure("powercut")
