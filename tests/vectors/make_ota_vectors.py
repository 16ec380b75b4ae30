"""Writes ota.json from the modules in ota_sections/; `--check` compares the committed file with them.

A module there gives `sections() -> {name: [vector, ...]}`; each section's name belongs to one module. A
vector is an object with a `name` and `by`: "hand" was derived from docs/ota.md or a standard without
Minerva's code and stands there literally. A line of the file is one vector, so that a small heap never holds
it all.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
SECTIONS = HERE / "ota_sections"
FILE = HERE / "ota.json"


def sections() -> dict[str, list[dict]]:
    """All sections of all modules, in their order; ValueError for a name that is there twice."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    out: dict[str, list[dict]] = {}
    for path in sorted(SECTIONS.glob("[!_]*.py")):
        for name, vectors in importlib.import_module(f"ota_sections.{path.stem}").sections().items():
            named = [v["name"] for v in vectors]
            if name in out or len(set(named)) != len(named):
                raise ValueError(f"{path.name}: section {name} or a name in it is there twice")
            out[name] = vectors
    return out


def text() -> str:
    """The file: `{`, then for each section its `"name": [`, its vectors and `],`; at last `}`."""
    parts = []
    for name, vectors in sections().items():
        lines = ",\n".join(json.dumps(v, ensure_ascii=True) for v in vectors)
        parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    made = text()
    if arguments == ["--check"]:
        if FILE.read_text() != made:
            print(f"{FILE.name} is stale: run {Path(__file__).name}", file=sys.stderr)
            return 1
        return 0
    FILE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
