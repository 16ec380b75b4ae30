"""The `gate` bench where the gate that it is for cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from minerva_tools.bench import gate
from minerva_tools.material import judged

Minerva = Callable[..., tuple[int, str, str]]


def test_without_our_gate_the_bench_fails_and_says_how_to_get_it(
    minerva: Minerva, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {judged.kind_of(background) for background in judged.backgrounds()}
    groups = [f"missed_{snr}_{kind}" for snr in judged.SNRS_DB for kind in kinds]
    groups += [f"quiet_{kind}" for kind in judged.STEADY]
    noise = np.random.default_rng(1).normal(0, 300, 16_000).astype(np.int16)
    truth = np.arange(50) % 2 == 0
    cases = [(group, judged.Judged(group, noise, truth)) for group in groups]
    monkeypatch.setattr(gate, "find_spec", lambda name: None)
    monkeypatch.setattr(judged, "cases", lambda seed: iter(cases))
    code, out, _ = minerva("bench", "gate", "--json")
    results = {result["name"]: result for result in json.loads(out)["results"]}
    assert code == 1
    assert results.pop("gate.ours")["error"] == "not measured: minerva_native is not built: make native"
    assert results and all(result["ok"] for result in results.values())
