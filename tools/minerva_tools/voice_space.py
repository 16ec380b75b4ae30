"""Makes the built-in diarizer's space of voices; `python -m minerva_tools.voice_space` writes its file.

Variants of espeak-ng that are made by chance and flite's voices for tuning, at other sizes, speak in rooms of
10 to 60 dB of signal to noise. None of them is a voice that `minerva bench der` judges by. The same programs
give the same file; other versions of flite and espeak-ng one that is close.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import msgspec
import numpy as np
import typer
from minerva_hub.diarize.builtin import audible
from minerva_hub.diarize.features import VOICED, Floats, analyse
from minerva_hub.diarize.voice import MIN_VOICED_S, SPACE_FILE, SpaceFile, statistics
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.signal import resample_poly

from minerva_tools.material import noises, sessions, speakers
from minerva_tools.material.noises import RATE, Samples
from minerva_tools.material.scenes import gain, to_pcm
from minerva_tools.material.voices import in_a_room, texts

SEED: Final = 77
ROOMS: Final = 24
SNRS_DB: Final = (60, 40, 25, 18, 14, 10)  # of the rooms in turns
VOICES: Final = 10  # in a room, of which FLITE are flite's at another size
FLITE: Final = 2
LINES: Final = 6  # by each
PLACES: Final = 16
SHRINK: Final = 0.05  # of the scatter within, added to its diagonal: it is known of few voices
SHORT: Final = 60  # frames at least in a part

Part = tuple[tuple[int, int], Floats, float]  # room and voice, statistics, voiced seconds


def make() -> SpaceFile:
    """Speak, measure, and solve for the directions that tell voices apart; takes minutes."""
    return solved([part for number in range(ROOMS) for part in room(number)])


def solved(parts: list[Part]) -> SpaceFile:
    """The space of what was measured."""
    within, between = scatter(parts)
    spread, directions = eigh(between, within + SHRINK * np.diag(np.diag(within)))
    matrix = directions[:, -PLACES:].T
    matrix *= np.sign(matrix[:, [-3]])  # the middle pitch: an eigenvector has no sign of its own
    return SpaceFile(
        first=fingerprint(part for part in parts if part[0][0] == 0),
        voices=[voice for voice in speakers.TUNING if voice.startswith("flite/")],
        between=[_rounded(value) for value in spread[-PLACES:]],
        matrix=[[_rounded(value) for value in row] for row in matrix],
    )


def room(number: int) -> list[Part]:
    """What VOICES voices say in one room, by lines and parts of lines."""
    return [
        (whose, *part)
        for whose, pcm in recorded(number, SNRS_DB[number % len(SNRS_DB)])
        for part in _parts(whose, pcm)
    ]


def recorded(number: int, snr_db: float) -> Iterator[tuple[tuple[int, int], NDArray[np.int16]]]:
    """Lines as heard in one room: (room and voice, int16 (n,))."""
    rng = np.random.default_rng([SEED, number])
    place = int(rng.integers(1 << 30))
    flite = [voice for voice in speakers.TUNING if voice.startswith("flite/")]
    with TemporaryDirectory() as folder:
        made = speakers.make_variants(rng, VOICES - FLITE, Path(folder))
        for index in range(VOICES):
            voice = made[index] if index < len(made) else flite[int(rng.integers(len(flite)))]
            size = 1.0 if index < len(made) else float(rng.uniform(0.86, 1.16))
            for _ in range(LINES):
                sound = _line(rng, voice, size, Path(folder))
                level_db = sessions.SPEECH_DBFS + rng.uniform(-4, 4)
                sound = np.pad(sessions.level(sound) * gain(level_db), RATE // 5)
                heard_in = np.random.default_rng(place)
                if number % 2:
                    sound = in_a_room(sound, heard_in)
                sound = sound + noises.room(len(sound), heard_in) * gain(sessions.SPEECH_DBFS - snr_db)
                yield (number, index), to_pcm(sound)


def _line(rng: np.random.Generator, voice: str, size: float, data: Path) -> Samples:
    lines = texts(True)
    text = lines[int(rng.integers(len(lines)))]
    # The pace is corrected for the size: a large person does not speak slower.
    sound = speakers.spoken(voice, text, stretch=float(rng.uniform(0.92, 1.1)) / size, data=data)
    return np.asarray(resample_poly(sound, round(100 * size), 100)) if size != 1 else sound


def _parts(whose: tuple[int, int], pcm: NDArray[np.int16]) -> list[tuple[Floats, float]]:
    """The line, and its two parts where it is long enough."""
    rng = np.random.default_rng([*whose, len(pcm)])
    frames = analyse(pcm)
    heard = np.flatnonzero(audible(frames, ()))
    ranges = [heard]
    if len(heard) > 3 * SHORT:
        cut = int(rng.integers(SHORT, len(heard) - SHORT))
        ranges += [heard[:cut], heard[cut:]]
    parts = []
    for indices in ranges:
        chosen = np.zeros(len(frames), bool)
        chosen[indices] = True
        voiced_s = float(np.count_nonzero(chosen & (frames.voicing > VOICED))) / 100
        if voiced_s > MIN_VOICED_S:
            parts.append((statistics(frames, chosen), voiced_s))
    return parts


def fingerprint(parts: Iterable[Part]) -> list[float]:
    """The mean of the statistics, (STATISTICS,)."""
    return [_rounded(value) for value in np.mean([values for _, values, _ in parts], axis=0)]


def scatter(parts: list[Part]) -> tuple[Floats, Floats]:
    """Covariances (n, n): within a voice, of one second; and between the voices of a room."""
    rooms: dict[int, dict[int, list[tuple[Floats, float]]]] = {}
    for (number, index), values, voiced_s in parts:
        rooms.setdefault(number, {}).setdefault(index, []).append((values, voiced_s))
    size = len(parts[0][1])
    within, between = np.zeros((size, size)), np.zeros((size, size))
    counted = apart = 0
    for voices in rooms.values():
        means = []
        for said in voices.values():
            values, seconds = np.stack([v for v, _ in said]), np.array([s for _, s in said])
            means.append(seconds @ values / seconds.sum())
            off = (values - means[-1]) * np.sqrt(seconds)[:, None]
            within += off.T @ off
            counted += len(said) - 1
        centred = np.stack(means) - np.mean(means, axis=0)
        between += centred.T @ centred
        apart += len(means) - 1
    return within / counted, between / apart


def as_text(file: SpaceFile) -> bytes:
    """The file's bytes, a row of the matrix a line."""
    return msgspec.json.encode(file).replace(b"],[", b"],\n[") + b"\n"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def main(
    check: Annotated[bool, typer.Option("--check", help="make it and compare, write nothing")] = False,
) -> None:
    """Write the file."""
    import minerva_hub.diarize

    target = Path(minerva_hub.diarize.__path__[0]) / SPACE_FILE
    if check:
        same = target.read_bytes() == as_text(make())
        typer.echo(f"{target}: {'is what this makes' if same else 'is another than this makes'}")
        raise typer.Exit(0 if same else 1)
    target.write_bytes(as_text(make()))
    typer.echo(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    typer.run(main)
