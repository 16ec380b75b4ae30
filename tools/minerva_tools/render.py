"""Renders a script as the sound in each room, with flite's voices, noise and a reference beside it.

`python -m minerva_tools.render --script FILE --voices rms,awb,slt --seed N --out FOLDER`; the same script,
voices and seed give the same samples. The format of scripts is described in `minerva_tools.script`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from minerva_hub.errors import UserError
from numpy.typing import NDArray

from minerva_tools.conversation import (
    FULL_SCALE_PA,
    PASCAL_DB_SPL,
    RATE,
    Conversation,
    Reference,
    RoomReference,
    Sound,
    Turn,
    save,
)
from minerva_tools.script import Line, Script, read_script

VOICES: Final = ("rms", "awb", "slt", "kal16")
SPEECH_DB_SPL: Final = 63.0  # a person talking a metre or two away
FLOOR_DB_SPL: Final = 38.0  # a quiet room: 25 dB below speech
LOUD_DB_SPL: Final = 47.0  # a kettle or extractor fan, 16 dB below speech
LEAD_S: Final = 1.5  # noise alone at the beginning, for gates to learn the floor
TAIL_S: Final = 2.5
FADE_S: Final = 1.5  # background noise comes and goes as slowly as this
PAUSE_S: Final = 0.3  # a longer silence inside a line parts two stretches of speech

Samples = NDArray[np.float64]  # pascal


class RenderError(UserError):
    """A conversation cannot be rendered: flite is missing or failed, or a voice is not known."""


def render(script: Script, voices: Sequence[str] = ("rms", "slt", "awb"), seed: int = 0) -> Conversation:
    """Speak the script: speakers take `voices` in order of appearance.

    A speaker named like a voice keeps that voice; pauses, pace and levels vary with `seed`. RenderError when
    flite or enough voices are missing.
    """
    cast = _cast(script.speakers, voices)
    rng = np.random.default_rng([0x4D1E, seed])
    spoken = [_spoken(line, cast[line.speaker], rng) for line in script.lines]
    starts = _starts(script, [len(samples) / RATE for samples in spoken], rng)
    length = max(round(s * RATE) + len(x) for s, x in zip(starts, spoken, strict=True))
    length += round(TAIL_S * RATE)

    sound: dict[str, Sound] = {}
    rooms: list[RoomReference] = []
    for room in script.rooms:
        loud = _loud_stretches(script, room, starts, length / RATE)
        mixed = _background(length, loud, rng)
        turns: list[Turn] = []
        for line, start_s, samples in zip(script.lines, starts, spoken, strict=True):
            if line.room == room:
                at = round(start_s * RATE)
                mixed[at : at + len(samples)] += samples
                turns.append(_turn(line, cast[line.speaker], start_s, samples))
        sound[room] = np.clip(np.round(mixed / FULL_SCALE_PA * 32768), -32768, 32767).astype(np.int16)
        rooms.append(RoomReference(room=room, turns=tuple(turns), noise=loud))
    return Conversation(sound, Reference(duration_s=length / RATE, seed=seed, rooms=tuple(rooms)))


def speak(text: str, voice: str, *, stretch: float = 1.0) -> NDArray[np.int16]:
    """Flite's voice saying `text`: int16 (n,) 16 kHz, silence at both ends cut off."""
    flite = shutil.which("flite")
    if flite is None:
        raise RenderError("flite is not installed: apt install flite (Debian, Ubuntu), brew install flite")
    if voice not in VOICES:  # flite itself would take another voice without a word
        raise RenderError(f"no voice {voice!r}; allowed are {', '.join(VOICES)}")
    command = [flite, "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}"]
    command += ["-t", text, "-o", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode or not done.stdout.startswith(b"RIFF"):
        said = done.stderr.decode(errors="replace").strip() or "no sound came"
        raise RenderError(f"flite could not speak {text!r} (exit {done.returncode}): {said}")
    with wave.open(io.BytesIO(done.stdout)) as wav:
        if (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) != (RATE, 1, 2):
            raise RenderError(
                f"flite's voice {voice!r} gives {wav.getframerate()} Hz, expected {RATE} Hz mono"
            )
        samples = np.frombuffer(wav.readframes(wav.getnframes()), np.int16)
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > 0.01 * np.abs(samples.astype(np.int32)).max())
    if not len(audible):
        raise RenderError(f"flite said nothing for {text!r}")
    return samples[audible[0] : audible[-1] + 1]


def _cast(speakers: Sequence[str], voices: Sequence[str]) -> Mapping[str, str]:
    for voice in voices:
        if voice not in VOICES:
            raise RenderError(f"no voice {voice!r}; allowed are {', '.join(VOICES)}")
    cast = {speaker: speaker for speaker in speakers if speaker in VOICES}
    free = [voice for voice in voices if voice not in cast.values()]
    waiting = [speaker for speaker in speakers if speaker not in cast]
    if len(waiting) > len(free):
        raise RenderError(
            f"the script has speakers {', '.join(speakers)} but only the voices {', '.join(voices)}; "
            f"allowed are {', '.join(VOICES)}, each once"
        )
    return cast | dict(zip(waiting, free, strict=False))


def _spoken(line: Line, voice: str, rng: np.random.Generator) -> Samples:
    """The line in pascal, at about the level of speech, a little slower or faster each time."""
    samples = speak(line.text, voice, stretch=rng.uniform(0.96, 1.08)) / 32768
    active = np.abs(samples) > 0.02 * np.abs(samples).max()
    level_db = SPEECH_DB_SPL + rng.uniform(-1.5, 1.5)
    rms = float(np.sqrt(np.mean(samples[active] ** 2)))
    return samples * (_pascal(level_db) / rms)


def _starts(script: Script, lengths_s: Sequence[float], rng: np.random.Generator) -> list[float]:
    """When each line begins, in seconds, on whole frames of 20 ms."""
    starts: list[float] = []
    clock_s, previous_s = LEAD_S, LEAD_S
    for index, (line, length_s) in enumerate(zip(script.lines, lengths_s, strict=True)):
        pause_s = rng.uniform(0.5, 1.2)
        if line.meanwhile and index:
            start_s = previous_s
        else:
            start_s = clock_s + (line.pause_s if line.pause_s is not None else pause_s if index else 0.0)
        start_s = round(start_s * 50) / 50
        starts.append(start_s)
        previous_s, clock_s = start_s, max(clock_s, start_s + length_s)
    return starts


def _loud_stretches(
    script: Script, room: str, starts: Sequence[float], end_s: float
) -> tuple[tuple[float, float], ...]:
    stretches: list[tuple[float, float]] = []
    on_s: float | None = None
    for cue in script.noise:
        if cue.room != room:
            continue
        at_s = starts[cue.before] if cue.before < len(starts) else end_s
        if cue.on and on_s is None:
            on_s = max(0.0, at_s - FADE_S)
        elif not cue.on and on_s is not None:
            stretches.append((round(on_s, 3), round(at_s, 3)))
            on_s = None
    if on_s is not None:
        stretches.append((round(on_s, 3), round(end_s, 3)))
    return tuple(stretches)


def _background(length: int, loud: Sequence[tuple[float, float]], rng: np.random.Generator) -> Samples:
    """Room noise (n,) in pascal: -6 dB an octave as rooms have it, louder in the given stretches."""
    time_s = np.arange(length) / RATE
    level_db = np.full(length, FLOOR_DB_SPL)
    for start_s, end_s in loud:
        rise = np.minimum((time_s - start_s) / FADE_S, (end_s + FADE_S - time_s) / FADE_S)
        level_db += (LOUD_DB_SPL - FLOOR_DB_SPL) * np.clip(rise, 0, 1)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    spectrum *= np.where(hertz < 50, 0.0, 100 / np.maximum(hertz, 100))
    noise = np.fft.irfft(spectrum, length)
    rms = float(np.sqrt(np.mean(noise**2)))
    pascal: Samples = noise / rms * 10 ** ((level_db - PASCAL_DB_SPL) / 20)
    return pascal


def _turn(line: Line, voice: str, start_s: float, samples: Samples) -> Turn:
    hop = RATE // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    active = np.sqrt(np.mean(frames**2, axis=1)) > _pascal(SPEECH_DB_SPL - 32)
    speech: list[tuple[float, float]] = []
    for index in np.flatnonzero(active):
        begin_s = round(start_s + int(index) / 100, 2)
        end_s = round(begin_s + 0.01, 2)
        if speech and begin_s - speech[-1][1] < PAUSE_S:
            speech[-1] = (speech[-1][0], end_s)
        else:
            speech.append((begin_s, end_s))
    return Turn(
        speaker=line.speaker,
        voice=voice,
        start_s=speech[0][0],
        end_s=speech[-1][1],
        text=line.text,
        speech=tuple(speech),
    )


def _pascal(db_spl: float) -> float:
    return float(10 ** ((db_spl - PASCAL_DB_SPL) / 20))


def main(
    script: Annotated[Path, typer.Option(help="the conversation; its format stands in minerva_tools.script")],
    out: Annotated[Path, typer.Option(help="folder for a FLAC per room and reference.json")],
    voices: Annotated[str, typer.Option(help="voices in order of appearance")] = "rms,slt,awb",
    seed: Annotated[int, typer.Option(min=0, help="another seed gives other pauses, levels and noise")] = 0,
) -> None:
    """Render a script as the sound in each room."""
    try:
        conversation = render(read_script(script), voices.replace(" ", "").split(","), seed)
        save(conversation, out)
    except UserError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(main)
