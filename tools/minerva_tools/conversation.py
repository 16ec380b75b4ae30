"""A conversation as sound in rooms, with the reference of what was said: how it is kept, loaded and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, Final

import av
import msgspec
import numpy as np
from minerva_hub.errors import UserError
from numpy.typing import NDArray

RATE: Final = 16_000
PASCAL_DB_SPL: Final = 93.98  # sound pressure level of 1 Pa RMS; 20 log10(1 / 20 µPa)
FULL_SCALE_PA: Final = 10.0  # what a sample of 32768 stands for; the step is far below any room's noise

Sound = NDArray[np.int16]
"""Sound pressure in a room, 16 kHz mono: `sample / 32768 * FULL_SCALE_PA` pascal; 114 dB SPL is 0 dBFS RMS.

A microphone of sensitivity S dBFS at 94 dB SPL (datasheets mean a full-scale *sine*) gives, as a fraction of
its own full scale, `pascal * 10 ** (S / 20) / sqrt(2)`: for an INMP441, S = -26.
"""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One line as spoken; `speech` holds its stretches of sound, parted by pauses of 0.3 s or more."""

    speaker: str
    voice: str
    start_s: float
    end_s: float
    text: str
    speech: tuple[tuple[float, float], ...]


class RoomReference(msgspec.Struct, frozen=True, kw_only=True):
    """What is said in one room, in order of time; `noise` holds the stretches of louder background."""

    room: str
    turns: tuple[Turn, ...]
    noise: tuple[tuple[float, float], ...] = ()


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about a conversation; times in seconds from the beginning, which all rooms share."""

    duration_s: float
    seed: int
    rooms: tuple[RoomReference, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Sound and truth: `sound[room]` int16 (n,) as `Sound` says, equally long in all rooms."""

    sound: Mapping[str, Sound]
    reference: Reference


def file_name(room: str) -> str:
    """The name of a room's sound file."""
    return "".join(c if c.isalnum() else "-" for c in room.lower()) + ".flac"


def save(conversation: Conversation, folder: Path) -> None:
    """Write reference.json and a FLAC for each room; UserError when two rooms share a file name."""
    names = [file_name(room) for room in conversation.sound]
    if len(set(names)) != len(names):
        raise UserError(f"rooms {', '.join(conversation.sound)} do not give different file names")
    folder.mkdir(parents=True, exist_ok=True)
    for room, sound in conversation.sound.items():
        write_flac(folder / file_name(room), sound)
    text = msgspec.json.format(msgspec.json.encode(conversation.reference), indent=1)
    (folder / "reference.json").write_bytes(text + b"\n")


def load(folder: Path) -> Conversation:
    """The conversation that `save` wrote; UserError when a file is missing or damaged."""
    try:
        reference = msgspec.json.decode((folder / "reference.json").read_bytes(), type=Reference)
        sound = {r.room: read_flac(folder / file_name(r.room)) for r in reference.rooms}
    except (OSError, msgspec.MsgspecError, av.FFmpegError) as error:
        raise UserError(f"{folder}: not a saved conversation: {error}") from error
    return Conversation(sound, reference)


def load_demo() -> Conversation:
    """The bundled conversation: two people in the kitchen, a third in the study at times."""
    with resources.as_file(resources.files("minerva_tools") / "data" / "demo") as folder:
        return load(folder)


def write_flac(path: Path, sound: Sound) -> None:
    """Write int16 (n,) 16 kHz mono, without loss."""
    with av.open(str(path), "w", format="flac") as container:
        options = {"compression_level": "12", "lpc_type": "cholesky", "lpc_passes": "4"}
        stream: Any = container.add_stream("flac", rate=RATE, options=options)
        stream.layout, stream.format = "mono", "s16"
        for start in range(0, len(sound), 4096):
            block = np.ascontiguousarray(sound[None, start : start + 4096])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_flac(path: Path) -> Sound:
    """The int16 (n,) that `write_flac` wrote; UserError when it is not 16 kHz mono of 16 bits."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        if (stream.rate, stream.layout.name, stream.format.name) != (RATE, "mono", "s16"):
            raise UserError(f"{path}: {stream.rate} Hz {stream.layout.name}, expected 16 kHz mono s16")
        blocks = [frame.to_ndarray()[0] for frame in container.decode(stream)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
