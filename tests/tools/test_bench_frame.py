"""The bench frame: found, run, compared, reported; each bench in the package keeps the contract."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from minerva_hub.errors import UserError
from minerva_tools import benching, measure
from minerva_tools.measure import Result, at_least, at_most, figure, percentile

Minerva = Callable[..., tuple[int, str, str]]


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of four benches: good, bad (misses a limit), broken and empty."""
    folder = tmp_path / "some_benches"
    folder.mkdir()
    head = "from minerva_tools.measure import at_most, at_least, figure\ndef run():\n    print('chatter')\n"
    (folder / "__init__.py").touch()
    (folder / "_shared.py").write_text("raise RuntimeError('not a bench')")
    (folder / "good.py").write_text(head + "    yield at_most('time', 5, 'ms', 10, 'here')\n")
    (folder / "bad.py").write_text(
        head
        + "    yield figure('beside', 1, 'ms', 'here')\n    yield at_least('rate', 5, '1/s', 10, 'here')\n"
    )
    (folder / "broken.py").write_text(
        head + "    yield figure('first', 1, '', 'x')\n    raise KeyError('oh')\n"
    )
    (folder / "empty.py").write_text(head + "    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("some_benches")
    for name in [name for name in sys.modules if name.startswith("some_benches")]:
        del sys.modules[name]


def test_limits() -> None:
    assert [at_most("n", v, "ms", 10, "c").ok for v in (9, 10, 10.1, math.nan, math.inf)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [at_least("n", v, "ms", 10, "c").ok for v in (9.9, 10, 11, math.nan)] == [False, True, True, False]
    assert figure("n", 1, "ms", "c").ok and not figure("n", math.nan, "ms", "c").ok
    assert at_most("n", math.nan, "ms", 10, "c").error == "measured nan"


def test_percentiles() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (0, 50, 95, 99.5, 100)] == [1, 50, 95, 100, 100]
    assert percentile([7.0], 95) == 7 and math.isnan(percentile([], 95))


def test_a_run_names_its_results_and_keeps_standard_output(
    benches: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    report = benching.run(["good", "bad", "good"], benches)
    assert [(r.name, r.ok) for r in report.results] == [
        ("good.time", True),
        ("bad.beside", True),
        ("bad.rate", False),
    ]
    assert not report.ok and benching.run(["good"], benches).ok
    assert capsys.readouterr().out == ""


def test_a_bench_that_fails_misses_and_the_others_run(
    benches: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    report = benching.run([], benches)
    assert {r.name: r.error for r in report.results if r.error} == {
        "broken": "'oh'",
        "empty": "it measured nothing",
    }
    assert {"good.time", "broken.first"} <= {r.name for r in report.results}
    assert "KeyError" in capsys.readouterr().err


def test_an_unknown_bench_names_those_there_are(benches: ModuleType) -> None:
    with pytest.raises(UserError, match="no bench 'goood'; there are bad, broken, empty, good"):
        benching.run(["goood"], benches)


def test_a_seed_goes_to_benches_that_take_one_and_is_refused_by_others(
    benches: ModuleType, minerva: Minerva, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(str(benches.__file__)).parent / "seeded.py").write_text(
        "from minerva_tools.measure import figure\n\n"
        "def run(seed=1):\n    yield figure('seed', seed, '', 'x')\n"
    )
    importlib.invalidate_caches()
    assert [r.value for r in benching.run(["seeded"], benches).results] == [1]
    assert [r.value for r in benching.run(["seeded"], benches, seed=7).results] == [7]
    with pytest.raises(UserError, match="bench good takes no seed"):
        benching.run(["seeded", "good"], benches, seed=7)
    monkeypatch.setattr(benching.run, "__defaults__", (benches,))
    code, out, _ = minerva("bench", "seeded", "--seed", "9", "--json")
    assert (code, json.loads(out)["results"][0]["value"]) == (0, 9.0)


def test_the_table_shows_values_limits_and_misses(
    benches: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    benching.show(benching.run(["bad", "broken"], benches))
    lines = capsys.readouterr().out.splitlines()
    assert ["bad.rate", "5", "1/s", "≥", "10", "1/s", "misses", "here"] in [line.split() for line in lines]
    assert ["broken", "none", "misses", "'oh'"] in [line.split() for line in lines]


def test_the_command(minerva: Minerva, benches: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching.run, "__defaults__", (benches,))
    code, out, _ = minerva("bench", "good", "--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (0, True)
    assert document["results"] == [
        {
            "name": "good.time",
            "value": 5.0,
            "unit": "ms",
            "limit": 10.0,
            "limit_is": "upper",
            "ok": True,
            "conditions": "here",
            "error": None,
        }
    ]
    assert document["conditions"]["cores"] >= 1 and document["conditions"]["cpu"]
    code, out, _ = minerva("bench", "bad", "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    code, out, err = minerva("bench", "nothing")
    assert (code, out) == (1, "") and "there are" in err


@pytest.mark.parametrize("name", benching.available())
def test_every_bench_keeps_the_contract(name: str) -> None:
    module = importlib.import_module(benching.available()[name])
    assert module.__doc__ and callable(module.run)


def test_the_processor_is_named(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz: v2\n")
    assert measure.cpu_model(info) == "Some CPU @ 2 GHz: v2"
    assert measure.cpu_model(tmp_path / "none")
    assert isinstance(figure("n", 1, "", ""), Result)
