"""Writes clip.s16 and vectors.bin beside this file; `--check` compares the files with what it would write.

The clip is two seconds of 16-bit mono at 16 kHz, little-endian, with what features and gates tell apart.
The vectors are those of tests/vectors: a letter (m media packet, h text from the hub, d text from the
device), the size as u16, the bytes, the length of the code they are refused with as u8, the code.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from minerva_tools.conversation import RATE, read_flac

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
SPEECH = ROOT / "tools" / "minerva_tools" / "data" / "demo" / "kitchen.flac"
SPEECH_AT_S = 1.5
SPEECH_GAIN = 16  # a far voice becomes a near one
VECTORS = ROOT / "tests" / "vectors"

Sound = npt.NDArray[np.int16]


def clip() -> Sound:
    """int16 (32000,): silence, speech, hiss, two tones, a clipped wave, a click."""

    def seconds(length_s: float) -> npt.NDArray[np.float64]:
        return np.arange(round(length_s * RATE)) / RATE

    at = round(SPEECH_AT_S * RATE)
    hiss = np.empty(round(0.2 * RATE), np.int16)
    state = 1
    for i in range(len(hiss)):
        state = (state * 1664525 + 1013904223) % (1 << 32)
        hiss[i] = (state >> 24) - 128
    tones = 9000 * np.sin(2 * np.pi * 440 * seconds(0.3)) + 3000 * np.sin(2 * np.pi * 3000 * seconds(0.3))
    clipped = np.where(np.sin(2 * np.pi * 187.5 * seconds(0.1) + 0.1) >= 0, 32767, -32768)
    click = np.zeros(round(0.2 * RATE), np.int16)
    click[800:808] = [32767, -32768, 20000, -20000, 8000, -8000, 3000, -3000]
    parts = [
        np.zeros(round(0.1 * RATE)),
        SPEECH_GAIN * read_flac(SPEECH)[at : at + round(1.1 * RATE)],
        hiss,
        np.round(tones),
        clipped,
        click,
    ]
    return np.concatenate([part.astype(np.int16) for part in parts])


def vectors() -> bytes:
    """The media packets and messages of tests/vectors, packed."""
    packed = bytearray()

    def add(side: str, data: bytes, error: str) -> None:
        packed.extend(
            side.encode() + struct.pack("<H", len(data)) + data + bytes([len(error)]) + error.encode()
        )

    for vector in json.loads((VECTORS / "media.json").read_text()):
        add("m", bytes.fromhex(vector["hex"]), vector.get("error", ""))
    for vector in json.loads((VECTORS / "control.json").read_text()):
        add(vector["from"][0], vector["text"].encode(), vector.get("error", ""))
    return bytes(packed)


def made() -> dict[str, bytes]:
    """The files' names and contents."""
    return {"clip.s16": clip().astype("<i2").tobytes(), "vectors.bin": vectors()}


def main() -> int:
    """Write the files, or compare with --check; 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = [name for name, content in made().items() if not same(HERE / name, content)]
    if check:
        print("\n".join(f"{name} is not what material/make.py makes" for name in stale) or "as made")
        return 1 if stale else 0
    for name, content in made().items():
        (HERE / name).write_bytes(content)
    return 0


def same(file: Path, content: bytes) -> bool:
    """Whether the file is there and holds this."""
    return file.is_file() and file.read_bytes() == content


if __name__ == "__main__":
    sys.exit(main())
