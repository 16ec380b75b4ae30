"""Letting go of modules that did their work: a heap of 192 kB has no room for all of them at once. Pure."""

import gc
import sys


def unload(*names: str) -> None:
    """Forget modules of this package, by their names in it; what nothing else holds is freed."""
    for name in names:
        sys.modules.pop("minerva." + name, None)
        holder = sys.modules["minerva"]
        folder, _, last = name.rpartition(".")
        if folder:
            holder = getattr(holder, folder, None)
        if hasattr(holder, last):
            delattr(holder, last)
    gc.collect()
