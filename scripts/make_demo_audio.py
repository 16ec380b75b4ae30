"""Makes the bundled conversation (tools/minerva_tools/data/demo) from its script with flite.

`--check` renders it again and compares: the reference must be equal, every sample within one step,
because the noise passes through an FFT whose last bit differs between processors.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from minerva_tools.conversation import Conversation, load, save
from minerva_tools.render import render
from minerva_tools.script import read_script

FOLDER = Path(__file__).resolve().parent.parent / "tools" / "minerva_tools" / "data" / "demo"
VOICES = ("rms", "slt", "awb")
SEED = 3


def make() -> Conversation:
    """The bundled conversation, rendered anew."""
    return render(read_script(FOLDER / "script.txt"), VOICES, SEED)


def differences(made: Conversation, kept: Conversation) -> list[str]:
    """What differs between a fresh rendering and the files, one line each."""
    found = [] if made.reference == kept.reference else ["reference.json differs"]
    for room, sound in made.sound.items():
        other = kept.sound.get(room)
        if other is None or len(other) != len(sound):
            found.append(f"{room}: {len(sound)} samples, kept {0 if other is None else len(other)}")
        elif step := int(np.abs(sound.astype(np.int32) - other).max()):
            unequal = int(np.count_nonzero(sound != other))
            if step > 1 or unequal > len(sound) // 1000:
                found.append(f"{room}: {unequal} samples differ, by up to {step}")
    return found


def main() -> int:
    """Write the files, or compare with --check; 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    made = make()
    if not check:
        save(made, FOLDER)
        return 0
    found = differences(made, load(FOLDER))
    print("\n".join(found) or f"{FOLDER.name}: as rendered")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
