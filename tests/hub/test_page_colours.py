"""The palette, for every kind of colour vision, in both schemes; read from the style sheet itself."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest
from minerva_hub.web.server import PAGE

Array = npt.NDArray[np.float64]

# Machado, Oliveira, Fernandes 2009: complete dichromacy, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
LEAST = 0.10  # OKLab distance; neighbours in Okabe and Ito's palette come as near as 0.09


def schemes() -> dict[str, dict[str, str]]:
    css = (PAGE / "css" / "base.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    found = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part.split("[data-colour")[0]))
        for part in (light, dark)
    ]
    return {"light": found[0], "dark": found[1]}


def linear(colour: str) -> Array:
    """A colour "#rrggbb" -> float64 (3,), linear RGB 0 to 1."""
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Array) -> Array:
    """Linear RGB (3,) -> OKLab (3,)."""
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    result: Array = to_lab @ np.cbrt(to_lms @ np.clip(rgb, 0, 1))
    return result


def contrast(one: str, two: str) -> float:
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, two))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_speakers_are_told_apart_with_any_colour_vision(scheme: str) -> None:
    colours = [schemes()[scheme][f"speaker-{n}"] for n in range(8)]
    for name, matrix in VISION.items():
        seen = [oklab(matrix @ linear(colour)) for colour in colours]
        for (i, a), (j, b) in itertools.combinations(enumerate(seen), 2):
            assert np.linalg.norm(a - b) >= LEAST, f"{name}: speakers {i} and {j} look alike"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_and_bars_are_legible(scheme: str) -> None:
    known = schemes()[scheme]
    for n in range(8):
        colour = known[f"speaker-{n}"]
        assert contrast(colour, known[f"speaker-{n}-ink"]) >= 4.5, f"letter of speaker {n}"
        assert contrast(colour, known["surface"]) >= 3, f"bar of speaker {n} (WCAG 1.4.11)"
        assert contrast(colour, known["ground"]) >= 2.9


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "quiet", "accent", "good", "warn", "bad"])
def test_text_on_every_ground(scheme: str, text: str) -> None:
    known = schemes()[scheme]
    for ground in ("ground", "surface"):
        assert contrast(known[text], known[ground]) >= 4.5
