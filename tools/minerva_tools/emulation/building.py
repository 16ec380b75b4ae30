"""Builds the program of firmware_rs/emulate: with cargo, and for Xtensa with the assembler of binutils."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minerva_hub.errors import MinervaError, UserError

from minerva_tools.emulation.targets import HOST, XTENSA, Target

ROOT = Path(__file__).resolve().parents[3]
CRATE = ROOT / "firmware_rs" / "emulate"
PROGRAM = "minerva-emulate"
BUILD_LIMIT_S = 600.0

_AS, _LD = "xtensa-lx106-elf-as", "xtensa-lx106-elf-ld"
# As in rustc's own build of them; `mem` is memcpy and its like.
_BUILTINS_CFG = (
    'feature="compiler-builtins"', 'feature="unmangled-names"', 'feature="mem"',
    "intrinsics_enabled", "optimizations_enabled",
)  # fmt: skip


class Unavailable(UserError):
    """What a target needs is not on this machine; says what it is and how to get it."""


class BuildError(MinervaError):
    """The program could not be built; ends with what the compiler said."""


@dataclass(frozen=True)
class Toolchain:
    """The compiler for chips. `sources`: those of core that belong to it, if they are there."""

    rustc: Path
    about: str
    sources: Path | None


def toolchain() -> Toolchain:
    """What scripts/get-bare-rust.sh finds or makes. Unavailable: it cannot, for the reason it gave."""
    need("cargo", "https://rustup.rs")
    script = ROOT / "scripts" / "get-bare-rust.sh"
    done = subprocess.run(
        ["sh", str(script)], capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False
    )
    if done.returncode == 3:
        raise Unavailable(_last(done.stderr, "get-bare-rust: "))
    if done.returncode:
        raise BuildError(f"{script.name}: exit {done.returncode}\n{done.stderr}")
    # Lines of `export NAME='value'`.
    words = (line for line in shlex.split(done.stdout) if line != "export")
    found = dict(word.split("=", 1) for word in words)
    sources = found["BARE_RUST_SRC"]
    return Toolchain(Path(found["RUSTC"]), found["BARE_RUST_FROM"], Path(sources) if sources else None)


def need(program: str, package: str) -> None:
    """Unavailable: the program is not on PATH."""
    if not shutil.which(program):
        raise Unavailable(f"no {program} here ({package})")


def build(target: Target, chain: Toolchain | None, into: Path) -> Path:
    """The program for this target, in the folder given. A chain of None is this computer's own compiler."""
    need("cargo", "https://rustup.rs")
    if not CRATE.is_dir():
        raise Unavailable(f"{CRATE} is not there: it takes a checkout of the whole repository")
    if target is HOST:
        _run(_cargo("build"), into)
        return into / "release" / PROGRAM
    if chain is None:
        raise ValueError(f"{target.name} takes a toolchain for chips")
    if target is XTENSA:
        return _build_xtensa(chain, into)
    _run([*_cargo("build"), "--target", target.triple], into, {"RUSTC": str(chain.rustc)})
    return into / target.folder / "release" / PROGRAM


def _build_xtensa(chain: Toolchain, into: Path) -> Path:
    """LLVM's own object writer misplaces Xtensa's literals: rustc writes assembly, and GNU as the objects.

    Core stays bitcode until only what the program uses is left: code for all of it hits LLVM's bugs.
    """
    if chain.sources is None:
        raise Unavailable(f"{chain.about} lacks the sources of core (rustup component add rust-src)")
    for tool in (_AS, _LD):
        need(tool, "package binutils-xtensa-lx106")
    env = {"RUSTC": str(chain.rustc), "RUSTC_BOOTSTRAP": "1"}
    unstable = ["-Zjson-target-spec", "-Zbuild-std=core", "--target", XTENSA.triple]
    _run([*_cargo("rustc"), *unstable, "--", "--emit=asm,link"], into, env)
    folder = into / XTENSA.folder
    deps = folder / "release" / "deps"
    builtins = folder / "builtins.s"
    _run(_builtins(chain, _newest(deps, "libcore-*.rlib"), builtins), into, env)
    objects = []
    for assembly in (
        CRATE / "src" / "machine" / "xtensa.S",
        _newest(deps, f"{PROGRAM.replace('-', '_')}-*.s"),
        builtins,
    ):
        made = folder / f"{assembly.stem}.o"
        _run([_AS, "-o", str(made), str(assembly)], into)
        objects.append(str(made))
    program = folder / PROGRAM
    _run([_LD, "-T", "link/xtensa.ld", "--gc-sections", *objects, "-o", str(program)], into)
    return program


def _builtins(chain: Toolchain, core: Path, out: Path) -> list[str]:
    """The command that makes soft float and memcpy as assembly: link-time optimisation leaves them out."""
    source = f"{chain.sources}/compiler-builtins/compiler-builtins/src/lib.rs"
    flags = "-Copt-level=3 -Cpanic=abort -Ccodegen-units=1 -Zunstable-options -Zforce-unstable-if-unmarked"
    return [
        str(chain.rustc), source, "--crate-name=compiler_builtins", "--crate-type=rlib", "--edition=2024",
        f"--target={XTENSA.triple}", *flags.split(), "--cap-lints=allow", f"--extern=core={core}",
        *(f"--cfg={flag}" for flag in _BUILTINS_CFG), f"--emit=asm={out}",
    ]  # fmt: skip


def _newest(folder: Path, pattern: str) -> Path:
    """A compiler's update leaves files of the former one beside its own."""
    found = sorted(folder.glob(pattern), key=lambda file: file.stat().st_mtime)
    if not found:
        raise BuildError(f"cargo made no {pattern} in {folder}")
    return found[-1]


def _cargo(command: str) -> list[str]:
    return ["cargo", command, "--quiet", "--release", "--locked"]


def _run(command: Sequence[str], target_dir: Path, env: Mapping[str, str] | None = None) -> None:
    dropped = ("CARGO_BUILD_TARGET", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")
    clean = {name: value for name, value in os.environ.items() if name not in dropped}
    try:
        done = subprocess.run(
            command,
            cwd=CRATE,
            env=clean | {"CARGO_TARGET_DIR": str(target_dir)} | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise BuildError(f"{command[0]}: not done after {BUILD_LIMIT_S:.0f} s") from exc
    if done.returncode:
        raise BuildError(f"{shlex.join(command)}: exit {done.returncode}\n{done.stderr[-4000:]}")


def _last(text: str, prefix: str) -> str:
    """The reason among a script's lines: the last but the one that says what helps."""
    lines = [line.removeprefix(prefix) for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-2:]) or "no reason given"
