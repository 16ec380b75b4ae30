"""The bench of rollouts with a few devices: the real hub, and the device's own updater in processes."""

from __future__ import annotations

import pytest
from minerva_tools.bench import rollout
from minerva_tools.virtual import find_micropython


@pytest.mark.mpy
async def test_a_good_release_reaches_all_and_a_bad_one_stops_at_the_canary() -> None:
    if find_micropython() is None:
        pytest.skip("no MicroPython here: the update of real devices is NOT tested")
    found = {result.name: result for result in await rollout.measure(3)}
    assert [name for name, result in found.items() if not result.ok] == []
    values = {name: result.value for name, result in found.items()}
    assert (values["updated"], values["failed"]) == (3, 0)
    assert (values["bad.offered_to"], values["bad.gave_it_up"], values["bad.still_running"]) == (1, 1, 0)
