"""The firmware's crates on emulated chips: the same bits as on this computer, and limits that they keep.

Instructions are QEMU's count and the same on every machine, so that their limits hold in tests too.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from minerva_hub.errors import UserError
from minerva_tools import emulation
from minerva_tools.emulation import report
from minerva_tools.emulation.building import CRATE, ROOT, Unavailable
from minerva_tools.emulation.report import Report, compare, working_bytes
from minerva_tools.emulation.running import Printed, RunError, read
from minerva_tools.emulation.targets import CHIPS, RV32IMAFC, RV32IMC
from minerva_tools.gate import network

SCRIPT = ROOT / "scripts" / "get-bare-rust.sh"
BUILD_S = 900  # the compiler's libraries and five programs, on a busy machine
chips = pytest.mark.parametrize("chip", [chip.name for chip in CHIPS])


@pytest.fixture(scope="session")
def found() -> Report:
    try:
        return emulation.emulate()
    except Unavailable as exc:
        pytest.skip(str(exc))


def ran(found: Report, chip: str) -> report.Ran:
    """What the chip printed; skips, with the reason, where it could not be had."""
    target = found.targets[chip]
    if target.skipped:
        pytest.skip(f"{chip}: {target.skipped}")
    return target


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
@chips
def test_bits_and_limits(found: Report, chip: str) -> None:
    host, target = found.targets["host"], ran(found, chip)
    assert target.hashes == host.hashes
    compared = ("mel64", "mfcc", "adpcm", "gate", "gate.score", "wire", "device")
    assert {f"{name}.hash" for name in compared} <= target.hashes.keys()
    results = {r.name: r for r in found.results if r.name.startswith(f"{chip}.")}
    missed = [f"{r.name} {r.value} {r.error or ''}" for r in results.values() if not r.ok]
    assert not missed
    assert f"{chip}.mel64.working_bytes" in results
    # A limit on instructions is one for chips with an FPU.
    assert (f"{chip}.mel64.instructions_max" in results) == (chip in ("rv32imafc", "cortex-m4f"))


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
@chips
def test_the_program_did_what_it_says(found: Report, chip: str) -> None:
    """Every vector was replayed, and the device sent audio of both kinds and features."""
    numbers = ran(found, chip).numbers
    vectors = [
        json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text()) for name in ("media", "control")
    ]
    assert numbers["wire.vectors"] == sum(map(len, vectors))
    assert numbers["mel64.steps"] == 198  # two seconds, less what the first window takes
    assert numbers["mfcc.steps"] == 199  # its first window begins before the first sample, half of it
    for count in ("packets_pcm", "packets_adpcm", "packets_logmel", "texts", "pongs"):
        assert numbers[f"device.{count}"] > 0, count
    assert numbers["audio_device.packets_adpcm"] > 0
    assert numbers["device.refused"] == numbers["audio_device.refused"] == 0
    assert 0 < numbers["mel64.stack_bytes"] < 8192
    assert 0 < numbers["mfcc.stack_bytes"] < 8192
    assert 0 < numbers["mfcc.instructions_mean"] <= numbers["mfcc.instructions_max"]
    assert 0 < numbers["device.speech.stack_bytes"] < 64 * 1024


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
def test_self_test_is_the_documented_one(found: Report) -> None:
    assert found.targets["host"].hashes["mel64.self_test"] == report.documented_self_test()


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
def test_the_gates_scores_are_those_of_the_trained_weights(found: Report) -> None:
    """The clip opens the gate whatever they are, so only this and the chips' comparison with it tell."""
    native = pytest.importorskip("minerva_native", reason="minerva_native is not built: make native")
    clip = np.fromfile(CRATE / "material" / "clip.s16", "<i2").astype(np.int32)
    hops = native.mel64_u8(native.Conditioner(6.0).process(clip << 16 | 0x4000))
    scores = network.scores(network.load(), network.inputs(hops.reshape(-1, 2, network.BANDS))[0])
    assert len(set(scores.tolist())) > len(scores) / 2
    value = 0xCBF29CE484222325
    for byte in np.append(0, scores).astype("<i4").tobytes():  # the first frame completes no hop
        value = (value ^ byte) * 0x100000001B3 % 2**64
    assert found.targets["host"].hashes["gate.score.hash"] == f"{value:016x}"


def test_the_material_is_what_its_generator_makes() -> None:
    make = _load(CRATE / "material" / "make.py")
    for name, content in make.made().items():
        assert (CRATE / "material" / name).read_bytes() == content, f"run {CRATE.name}/material/make.py"


def test_there_is_no_such_chip() -> None:
    with pytest.raises(UserError, match=r"no chip 'z80'; there are rv32imafc, cortex-m4f, rv32imc, xtensa"):
        emulation.emulate(["z80"])


def printed(**changed: int | str) -> Printed:
    """What a chip prints that keeps to every limit, but for what is changed."""
    numbers = {
        "wire.wrong": 0,
        "calibration.off_by": 0,
        "mel64.state_bytes": 3000,
        "mel64.stack_bytes": 1000,
        "mel64.instructions_max": 60_000,
        "memory.data_bytes": 4,
        "memory.bss_bytes": 0,
    }
    result = Printed(hashes={"mel64.hash": "ab", "mel64.self_test": "cd"}, numbers=numbers)
    for name, value in changed.items():
        known = result.hashes if isinstance(value, str) else result.numbers
        known[name.replace("__", ".")] = value  # type: ignore[assignment]
    return result


def test_what_keeps_to_the_limits_is_ok() -> None:
    results = list(compare(printed(), {RV32IMAFC: printed()}, "cd"))
    assert all(result.ok for result in results)
    assert working_bytes(printed().numbers) == 4004


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"mel64__hash": "ac"}, "rv32imafc.hashes"),
        ({"more__hash": "ab"}, "rv32imafc.hashes"),
        ({"wire__wrong": 1}, "rv32imafc.wire.wrong"),
        ({"calibration__off_by": 2}, "rv32imafc.calibration.off_by"),
        ({"mel64__stack_bytes": 5190}, "rv32imafc.mel64.working_bytes"),
        ({"memory__bss_bytes": 4200}, "rv32imafc.mel64.working_bytes"),
        ({"mel64__instructions_max": 60_001}, "rv32imafc.mel64.instructions_max"),
    ],
)
def test_what_breaks_a_limit_is_named(changed: dict[str, int | str], missed: str) -> None:
    results = compare(printed(), {RV32IMAFC: printed(**changed)}, "cd")
    assert [result.name for result in results if not result.ok] == [missed]


def test_another_self_test_than_the_documented_is_named() -> None:
    for documented in ("ce", None):
        wrong = [result for result in compare(printed(), {}, documented) if not result.ok]
        assert [result.name for result in wrong] == ["host.self_test"]
        assert str(documented) in str(wrong[0].error)


def test_instructions_have_no_limit_without_an_fpu() -> None:
    results = compare(printed(), {RV32IMC: printed(mel64__instructions_max=10**6)}, "cd")
    assert all(result.ok for result in results)


def test_what_is_printed_is_read() -> None:
    read_back = read("mel64.hash 0123\nmel64.steps 198\nend complete\n", "chip")
    assert read_back == Printed(hashes={"mel64.hash": "0123"}, numbers={"mel64.steps": 198})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mel64.steps 198\n", "chip: it ended before its end"),
        ("panicked at src/dsp.rs:1:1\nend complete\n", "chip: 'panicked at src/dsp.rs:1:1' is not a name"),
        ("mel64.steps -1\nend complete\n", "is not a name and its value"),
    ],
)
def test_a_program_that_fails_is_not_taken_for_one_that_ended(text: str, complaint: str) -> None:
    with pytest.raises(RunError, match=complaint):
        read(text, "chip")


def script(
    folder: Path, *arguments: str, path: str = "/nowhere", **env: str
) -> subprocess.CompletedProcess[str]:
    """A copy of the toolchain's script in an empty folder, with nothing on PATH but what every system has."""
    (folder / "scripts").mkdir()
    (folder / "bin").mkdir()
    for tool in ("sh", "dirname", "mkdir", "rm", "cat", "flock", "grep", "sed", "cut", "mktemp"):
        if real := shutil.which(tool):
            (folder / "bin" / tool).symlink_to(real)
    copy = shutil.copy(SCRIPT, folder / "scripts")
    return subprocess.run(
        [str(folder / "bin" / "sh"), str(copy), *arguments],
        env={"PATH": f"{folder / 'bin'}:{path}", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_toolchain_to_be_had_is_said_with_the_way_out(tmp_path: Path) -> None:
    done = script(tmp_path)
    assert done.returncode == 3, done.stderr
    assert "there is no apt-get here" in done.stderr
    assert "rustup target add riscv32imc-unknown-none-elf" in done.stderr
    assert not done.stdout


def test_the_toolchains_script_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    done = script(tmp_path, "z80-unknown-none-elf")
    assert done.returncode == 2
    assert "'z80-unknown-none-elf' is none of: riscv32imc-unknown-none-elf" in done.stderr


def test_rustups_targets_come_first(tmp_path: Path) -> None:
    """A rustup that has the targets and a compiler that is new enough; then one whose compiler is too old."""
    tools = tmp_path / "tools"
    tools.mkdir()
    rustc = tools / "rustc"
    rustup = tools / "rustup"
    rustup.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "target) echo thumbv7em-none-eabihf; echo riscv32imc-unknown-none-elf ;;\n"
        f"which) echo {rustc} ;;\n"
        "esac\n"
    )
    rustc.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "rustc 1.97.1 (abc)" || echo /nowhere\n')
    for tool in (rustc, rustup):
        tool.chmod(0o755)
    done = script(tmp_path, "thumbv7em-none-eabihf", path=str(tools))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "export BARE_RUST_FROM='rustup 1.97.1'",
        f"export RUSTC='{rustc}'",
        "export BARE_RUST_SRC=''",
    ]
    rustc.write_text('#!/bin/sh\necho "rustc 1.80.0 (abc)"\n')
    for folder in ("scripts", "bin"):
        shutil.rmtree(tmp_path / folder)
    done = script(tmp_path, "thumbv7em-none-eabihf", path=str(tools), BARE_RUST="rustup")
    assert done.returncode == 3
    assert "rustup's 1.80.0 is older than 1.95" in done.stderr


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"emulate_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
