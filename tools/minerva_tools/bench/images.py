"""The Rust firmware's images for ESP32-C6 and ESP32-C3: flash and memory, and that they fit a slot."""

from __future__ import annotations

from collections.abc import Iterable

from minerva_tools.images import CHIPS, SLOT_BYTES, build, measure
from minerva_tools.measure import Result, at_least, at_most, figure, not_measured

KB = 1024
# A TLS handshake takes some 10 kB of the network's stack; the rest is for what interrupts it.
MIN_STACK_KB = 24.0


def run() -> Iterable[Result]:
    """Build both and measure them; one without a compiler is not measured, which is not ok."""
    built = build()
    for chip in CHIPS:
        elf = built.images.get(chip)
        if elf is None:
            reasons = [line for line in built.skipped if chip in line]
            yield not_measured(f"{chip}.flash", "kB", "; ".join(reasons) or "it was not built")
            continue
        sizes = measure(chip, elf)
        under = f"{chip}, opt-level s without LTO, with headers and hash"
        yield at_most(f"{chip}.flash", sizes.flash / KB, "kB", SLOT_BYTES / KB, f"{under}; a slot of 1.5 MiB")
        heap = (
            f"with {sizes.heap / KB:.0f} kB of heap; {sizes.reclaimed / KB:.0f} kB more are the bootloader's"
        )
        yield figure(f"{chip}.memory", sizes.static / KB, "kB", f"{chip}, placed by the linker, {heap}")
        left = f"{chip}, what is left for main's thread"
        yield at_least(f"{chip}.stack", sizes.stack / KB, "kB", MIN_STACK_KB, left)
