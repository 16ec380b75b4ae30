"""A flame graph as one SVG without scripts: as wide as the processor time, outermost call at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final
from zlib import crc32

WIDTH: Final = 1200
ROW: Final = 17
LEAST_PX: Final = 0.4  # narrower boxes would be nothing but lines
CHARACTER_PX: Final = 6.6

Folded = Mapping[tuple[str, ...], float]  # names from the outermost call on -> seconds


@dataclass
class _Box:
    seconds: float = 0.0
    inner: dict[str, _Box] = field(default_factory=dict)


def svg(folded: Folded, title: str) -> str:
    """The picture; each box tells its name and seconds to a pointer and to a screen reader."""
    root = _Box()
    for names, seconds in folded.items():
        box = root
        box.seconds += seconds
        for name in names:
            box = box.inner.setdefault(name, _Box())
            box.seconds += seconds
    rows: list[str] = []
    depth = _draw(rows, root, 0.0, WIDTH / root.seconds if root.seconds else 0.0, 0)
    height = (depth + 2) * ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 {-height} {WIDTH} {height}" font-family="monospace" font-size="11">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect x="0" y="{-height}" width="{WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="4" y="{-height + 13}">{escape(title)}</text>\n'
    )
    return head + "\n".join(rows) + "\n</svg>\n"


def folded_text(folded: Folded) -> str:
    """One line a stack, microseconds at its end: what other tools for flame graphs read."""
    lines = (f"{';'.join(names)} {round(seconds * 1e6)}" for names, seconds in sorted(folded.items()))
    return "".join(line + "\n" for line in lines)


def _draw(rows: list[str], box: _Box, x: float, scale: float, depth: int) -> int:
    """Draw what is inside a box, above it; how many rows there are now."""
    deepest = depth
    for name, inner in sorted(box.inner.items()):
        width = inner.seconds * scale
        if width >= LEAST_PX:
            y = -(depth + 1) * ROW
            hue = 20 + crc32(name.encode()) % 40
            told = f"{name}, {inner.seconds:.3f} s"
            short = name[: max(0, int((width - 6) / CHARACTER_PX))]
            rows.append(
                f"<g><title>{escape(told)}</title>"
                f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}" '
                f'fill="hsl({hue} 80% 72%)"/>'
                + (f'<text x="{x + 3:.2f}" y="{y + 12}">{escape(short)}</text>' if len(short) > 2 else "")
                + "</g>"
            )
            deepest = max(deepest, _draw(rows, inner, x, scale, depth + 1))
        x += width
    return max(deepest, depth)
