"""Letting go of modules that did their work: a heap of 192 kB has no room for all of them at once. Pure."""

import gc
import sys

from minerva.port import MICROPYTHON


def unload(*names: str) -> None:
    """Forget modules, called as they are imported; the memory is free once nothing else holds them."""
    for name in names:
        sys.modules.pop(name, None)
        folder, _, last = name.rpartition(".")
        holder = sys.modules.get(folder)
        if hasattr(holder, last):
            delattr(holder, last)
    gc.collect()


def collect_every(size: int) -> int:
    """Collect garbage after each `size` bytes taken, -1: only when there is none left; what was so before."""
    if not MICROPYTHON:
        return -1
    before = gc.threshold()
    gc.threshold(size)
    return before
