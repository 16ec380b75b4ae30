"""Puts into the wheel what is outside of the packages: the device application, and the list of models.

`minerva demo` runs the application as its virtual devices. All else is declared in pyproject.toml. In a clone
the tools use the folder device/ itself, and the hub models/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setuptools import setup
from setuptools.command.build_py import build_py

# Folder -> (where in the wheel, which of its files).
COPIED: Final = {
    "device": ("minerva_tools/device", ("boot.py", "main.py", "boards/**/*.py", "minerva/**/*.py")),
    "models": ("minerva_hub/models/shipped", ("models.toml", "*.tflite", "cards/*.md")),
}


class BuildWithDevice(build_py):
    """Copies device/ to where minerva_tools.virtual looks for it, and models/ for minerva_hub.models."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        for source, target in self._copies():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What is installed, with the copies."""
        return [*super().get_outputs(include_bytecode), *(target for _, target in self._copies())]

    def _copies(self) -> list[tuple[str, str]]:
        if self.editable_mode:
            return []
        return [
            (str(file), str(Path(self.build_lib) / into / file.relative_to(folder)))
            for folder, (into, parts) in COPIED.items()
            for part in parts
            for file in sorted(Path(folder).glob(part))
        ]


setup(cmdclass={"build_py": BuildWithDevice})
