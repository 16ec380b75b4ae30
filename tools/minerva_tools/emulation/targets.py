"""The processors that the program of firmware_rs/emulate runs on."""

from __future__ import annotations

from dataclasses import dataclass

# Virtual time goes on by 2^shift ns an instruction; where the program counts by a timer it knows the shift.
_RISCV = (
    "qemu-system-riscv32", "-M", "virt", "-bios", "none", "-icount", "shift=0", "-serial", "stdio",
)  # fmt: skip
_CORTEX_M = (
    "qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=7", "-serial", "none",
    "-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out",
)  # fmt: skip
_XTENSA = (
    "qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-icount", "shift=7", "-serial", "none",
    "-semihosting",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One processor. `triple` is rustc's name, or a file of firmware_rs/emulate; `qemu` lacks the program."""

    name: str
    triple: str
    qemu: tuple[str, ...]
    about: str
    fpu: bool

    @property
    def folder(self) -> str:
        """What cargo calls its output folder."""
        return self.triple.rpartition("/")[2].removesuffix(".json")


HOST = Target(name="host", triple="", qemu=(), about="this computer", fpu=True)
RV32IMAFC = Target(
    name="rv32imafc",
    triple="riscv32imafc-unknown-none-elf",
    qemu=_RISCV,
    about="RISC-V with an FPU",
    fpu=True,
)
CORTEX_M4F = Target(
    name="cortex-m4f",
    triple="thumbv7em-none-eabihf",
    qemu=_CORTEX_M,
    about="Arm Cortex-M4 with an FPU",
    fpu=True,
)
RV32IMC = Target(
    name="rv32imc",
    triple="riscv32imc-unknown-none-elf",
    qemu=_RISCV,
    about="RISC-V without an FPU, as in an ESP32-C3",
    fpu=False,
)
XTENSA = Target(
    name="xtensa",
    triple="link/xtensa-none-elf.json",
    qemu=_XTENSA,
    about="Xtensa lx106 (call0, soft float); an ESP32-S3 has an FPU and register windows",
    fpu=False,
)

CHIPS = (RV32IMAFC, CORTEX_M4F, RV32IMC, XTENSA)
