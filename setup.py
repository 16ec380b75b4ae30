"""Puts the device application into the wheel, whole: `minerva demo` runs it as its virtual devices.

All else is declared in pyproject.toml. In a clone the tools use the folder device/ itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setuptools import setup
from setuptools.command.build_py import build_py

DEVICE: Final = Path("device")
PARTS: Final = ("boot.py", "main.py", "boards/**/*.py", "minerva/**/*.py")


class BuildWithDevice(build_py):
    """Copies device/ to minerva_tools/device, where minerva_tools.virtual looks for it."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        for source, target in self._device_files():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What is installed, with the copies."""
        return [*super().get_outputs(include_bytecode), *(target for _, target in self._device_files())]

    def _device_files(self) -> list[tuple[str, str]]:
        if self.editable_mode:
            return []
        into = Path(self.build_lib) / "minerva_tools"
        return [(str(file), str(into / file)) for part in PARTS for file in sorted(DEVICE.glob(part))]


setup(cmdclass={"build_py": BuildWithDevice})
