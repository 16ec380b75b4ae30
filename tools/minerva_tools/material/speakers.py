"""Voices of flite and espeak-ng to tell apart: which are for tuning, which to judge by, and how they speak.

espeak-ng's variants change one synthesizer's pitch and formants. Those listed are people-like (no whisper, no
robot), and any two of them differ, by their definitions, in mean pitch by 2 semitones or in one of the first
three formants by 8 %; of a family that differs by less the first in order is taken. They are alternately for
tuning and to judge by, in the order of their names.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from minerva_hub.errors import UserError
from scipy.signal import resample_poly

from minerva_tools.material.noises import RATE, Samples
from minerva_tools.render import VOICES, RenderError, speak

TUNING: Final = (
    *("flite/rms", "flite/awb"),
    *("espeak/f1", "espeak/f3", "espeak/m2", "espeak/Alex", "espeak/Andrea", "espeak/anika"),
    *("espeak/announcer", "espeak/belinda", "espeak/david", "espeak/gustave", "espeak/marcelo"),
    *("espeak/Michael", "espeak/shelby", "espeak/travis"),
)
EVALUATION: Final = (
    *("flite/slt", "flite/kal16"),
    *("espeak/f2", "espeak/m1", "espeak/m5", "espeak/Alicia", "espeak/Andy", "espeak/Annie"),
    *("espeak/antonio", "espeak/boris", "espeak/grandma", "espeak/Lee", "espeak/Marco"),
    *("espeak/norbert", "espeak/Storm"),
)
WORDS_A_MINUTE: Final = 165  # espeak-ng's pace at a stretch of 1
_SOFT: Final = 0.01  # of the loudest sample: quieter ends are cut off


class VoiceError(UserError):
    """A voice cannot be had: it is not known, or its program is missing or failed."""


def missing_programs() -> tuple[str, ...]:
    """What of flite and espeak-ng is not installed."""
    return tuple(name for name in ("flite", "espeak-ng") if shutil.which(name) is None)


def check_voices(voices: tuple[str, ...]) -> None:
    """VoiceError when a voice is not known here, named twice, or its program is missing."""
    for program in missing_programs():
        raise VoiceError(
            f"{program} is not installed: apt install {program} (Debian, Ubuntu), brew install {program}"
        )
    for voice in voices:
        if voices.count(voice) > 1:
            raise VoiceError(f"voice {voice!r} is named twice")
        engine, _, name = voice.partition("/")
        if engine not in ("flite", "espeak") or not name or (engine == "flite" and name not in VOICES):
            allowed = ", ".join(f"flite/{name}" for name in VOICES)
            raise VoiceError(f"no voice {voice!r}; allowed are flite/NAME and espeak/VARIANT: {allowed}")
        if (
            engine == "espeak" and name not in variants()
        ):  # espeak-ng itself would take another without a word
            raise VoiceError(f"espeak-ng has no variant {name!r}; it has {', '.join(sorted(variants()))}")


@cache
def variants() -> frozenset[str]:
    """The variants that the espeak-ng here has."""
    done = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, timeout=60, check=True)
    names = (line.partition("!v/")[2].strip() for line in done.stdout.decode(errors="replace").splitlines())
    return frozenset(name.rsplit("  ", 1)[0].strip() for name in names if name)


def make_variants(rng: np.random.Generator, count: int, folder: Path) -> tuple[str, ...]:
    """Variants of espeak-ng by chance, of all sorts that people have, in a data folder made in `folder`.

    They are not among those that espeak-ng brings. Gives the voices' names, for `spoken` with that folder.
    """
    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, timeout=60, check=True)
    own = Path(said.stdout.decode().partition("Data at:")[2].strip())
    data = folder / "espeak-ng-data"
    made = data / "voices" / "!v"
    made.mkdir(parents=True)
    for one in (*own.iterdir(), *(own / "voices").iterdir()):
        if one.name not in ("voices", "!v"):
            (data / one.relative_to(own)).symlink_to(one)
    names = tuple(f"made{number}" for number in range(count))
    for name in names:
        (made / name).write_text(f"language variant\nname {name}\n{_variant(rng)}")
    return tuple(f"espeak/{name}" for name in names)


def _variant(rng: np.random.Generator) -> str:
    """Pitch in Hz, and formants: frequency, height and width in percent of the usual."""
    low = float(np.exp(rng.uniform(np.log(58), np.log(215))))
    size = rng.uniform(0.82, 1.3)
    lines = [f"pitch {low:.0f} {low * rng.uniform(1.2, 2.3):.0f}", f"flutter {rng.integers(0, 9)}"]
    lines.append(f"roughness {rng.integers(0, 4)}")
    for number in range(9):
        hertz = 100 * size * float(np.exp(rng.normal(0, 0.12)))
        lines.append(f"formant {number} {hertz:.0f} {rng.integers(45, 150)} {rng.integers(60, 180)}")
    return "\n".join(lines) + "\n"


def spoken(voice: str, text: str, *, stretch: float = 1.0, data: Path | None = None) -> Samples:
    """A voice saying `text`: float64 (n,) 16 kHz, full scale 1, silence at both ends cut off.

    `stretch` is slower above 1; `data` is a folder of made variants. VoiceError, RenderError.
    """
    engine, _, name = voice.partition("/")
    if engine == "flite":
        return speak(text, name, stretch=stretch) / 32768
    command = ["espeak-ng", "-v", f"en-us+{name}", "-s", str(round(WORDS_A_MINUTE / stretch))]
    if data is not None:
        command.append(f"--path={data}")
    done = subprocess.run([*command, "--stdout", text], capture_output=True, timeout=60, check=False)
    if done.returncode or not done.stdout.startswith(b"RIFF"):
        said = done.stderr.decode(errors="replace").strip() or "no sound came"
        raise VoiceError(f"espeak-ng could not speak {text!r} (exit {done.returncode}): {said}")
    with wave.open(io.BytesIO(done.stdout)) as wav:  # its header claims 2 GB: the stream's length was unknown
        rate = wav.getframerate()
        samples = np.frombuffer(done.stdout[44:], np.int16) / 32768
    samples = resample_poly(samples, RATE, rate)
    audible = np.flatnonzero(np.abs(samples) > _SOFT * np.abs(samples).max(initial=0.0))
    if not len(audible):
        raise RenderError(f"espeak-ng said nothing for {text!r}")
    return np.asarray(samples[audible[0] : audible[-1] + 1])
