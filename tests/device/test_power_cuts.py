"""Power fails at some of an update's writes (`make fuzz` takes all); the simulation of it sees faults."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from minerva_tools.powercut import HEAP, SCENARIOS, run_scenario, write_server
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder, find_micropython

pytestmark = pytest.mark.mpy

STRIDE = 43  # of the cut points; prime to the three kinds of each
TWICE = 5
RECORD_FIRST = """\
        self._forget(SLOTS.index(self.target))
        r = self._record.copy()
        r.active, r.previous = SLOTS.index(self.target), SLOTS.index(self._name)
        r.hashes[r.active] = hashlib.sha256(manifest_bytes).digest()
        self._copies.write(r.pack())
"""
# What might be wrong with the device's code: scenario, stride, (file, what stands there, what would).
FAULTS = {
    "it fills the slot that runs": (
        "update",
        11,
        [("minerva/slots.py", "return SLOTS[B if kept == A else A]", "return SLOTS[kept]")],
    ),
    "the record first, the files later, and nobody looks": (
        "update",
        11,
        [
            ("minerva/slots.py", "        self._forget(SLOTS.index(self.target))\n", RECORD_FIRST),
            ("bootslot.py", "        why = fault(slot)\n", '        why = ""\n'),
        ],
    ),
    "files are not compared at the start": (
        "deploy",
        11,
        [("bootslot.py", "!= (size, unhexlify(digest)):", "== None:")],
    ),
    "files that nobody signed may lie beside": (
        "deploy",
        4,
        [("bootslot.py", 'extra = _stranger(folder, "", files, folders)', 'extra = ""')],
    ),
    "what is not of the release stays": (
        "update",
        50,
        [("minerva/slots.py", 'yield from self._clear(folder, "", wanted)', "yield")],
    ),
    "a file begun before is not hashed": (
        "resumed",
        11,
        [
            (
                "minerva/slot_files.py",
                "            self._hash.update(view[:n])\n            have",
                "            have",
            )
        ],
    ),
    "the keys are removed before they are written": (
        "rotation",
        1,
        [
            (
                "minerva/acceptance.py",
                "        keys.write(now.data)\n",
                '        __import__("os").remove("/f/keys.%d" % keys._newest)\n'
                "        keys.write(now.data)\n",
            )
        ],
    ),
    "keys are taken before the release is": (
        "rotation",
        1,
        [
            (
                "minerva/acceptance.py",
                "    manifest.check_for(",
                "    keys.write(now.data)\n    manifest.check_for(",
            )
        ],
    ),
    "dev runs although it is forbidden": (
        "deploy",
        11,
        [
            (
                "bootslot.py",
                "& (DEV_ALLOWED | DEV_FORBIDDEN) != DEV_ALLOWED:\n        return",
                "== 9:\n        return",
            )
        ],
    ),
    "a trial in vain is not given up": (
        "rollback",
        31,
        [("minerva/slots.py", "            bootslot.give_way(r)\n", "            pass\n")],
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    write_server(folder)
    return folder


def micropython(arch: str) -> Interpreter:
    if find_micropython(arch) is None:
        pytest.skip(f"no MicroPython for {arch} here: scripts/get-micropython.sh {arch}")
    return choose_interpreter("micropython", arch=arch, heap=HEAP)


@pytest.mark.parametrize("arch", ["native", "i386"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_power_may_fail_at_any_write(server: Path, scenario: str, arch: str) -> None:
    first = 7 if arch == "i386" else 0  # not the same points
    outcome = run_scenario(micropython(arch), server, scenario, stride=STRIDE, first=first, twice=TWICE)
    assert not outcome.told
    counts = outcome.counts
    assert (counts.bricked, counts.unverified) == (0, 0)
    assert counts.points > counts.operations / STRIDE
    assert min(counts.before, counts.torn, counts.twice) > 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_power_may_fail_on_fat(server: Path, scenario: str) -> None:
    outcome = run_scenario(micropython("native"), server, scenario, file_system="fat", stride=STRIDE, first=1)
    assert not outcome.told
    assert (outcome.counts.bricked, outcome.counts.unverified) == (0, 0)
    assert outcome.counts.points > 0


@pytest.mark.parametrize("fault", FAULTS)
def test_the_simulation_sees(server: Path, tmp_path: Path, fault: str) -> None:
    scenario, stride, changes = FAULTS[fault]
    device = tmp_path / "device"
    shutil.copytree(device_folder(), device, ignore=shutil.ignore_patterns("typings", "__pycache__"))
    for name, there, instead in changes:
        text = (device / name).read_text()
        assert text.count(there) == 1, there
        (device / name).write_text(text.replace(there, instead))
    interpreter = micropython("native")
    outcome = run_scenario(interpreter, server, scenario, stride=stride, once=True, device=device)
    assert outcome.counts.bricked + outcome.counts.unverified > 0
