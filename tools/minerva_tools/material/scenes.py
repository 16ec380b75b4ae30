"""A room over time with the truth about it, and what a device makes of it: levels and features of frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from minerva_hub.audio.mel64 import log_mel, quantise
from numpy.typing import NDArray

from minerva_tools.material import alarms, music, noises, voices
from minerva_tools.material.noises import RATE, Samples

FRAME: Final = 320
HOPS: Final = 2  # that a frame completes; the first completes none, as a window is longer than a frame

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scene:
    """pcm int16 (n*320,); per frame (n,): speech, an alarm; frames that are `unsure` teach nothing."""

    pcm: NDArray[np.int16]
    speech: Flags
    event: Flags
    unsure: Flags


def gain(db: float) -> float:
    """The amplitude of a level in dB."""
    return float(10 ** (db / 20))


def active(sound: Samples, below_db: float = 35.0, bridge: int = 15) -> Flags:
    """Per frame: within `below_db` of the loudest; gaps of fewer than `bridge` frames are filled."""
    rms = voices.frame_rms(np.append(sound, np.zeros(-len(sound) % FRAME)))
    on: Flags = rms > rms.max() * gain(-below_db)
    at = np.flatnonzero(on)
    for left, right in pairwise(at):
        if right - left <= bridge:
            on[left:right] = True
    return on


def frames_of(pcm: NDArray[np.int16]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """What the gate gets: levels (n,) in hundredths of dBFS, hops uint8 (n,2,64), void in frame 0."""
    n = len(pcm) // FRAME
    power = np.mean(pcm[: n * FRAME].reshape(n, FRAME).astype(np.float64) ** 2, axis=1)
    level = 1000 * np.log10(np.maximum(power, 1 / FRAME) / 2**30)
    hops = np.zeros((n, HOPS, 64), np.uint8)
    hops[1:] = quantise(log_mel(pcm[: n * FRAME])).reshape(-1, HOPS, 64)[: n - 1]
    return np.round(level).astype(np.int32), hops


def to_pcm(sound: Samples) -> NDArray[np.int16]:
    """Full scale 1 -> int16, saturated."""
    return np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)


def training(rng: np.random.Generator, seconds: int = 20) -> Scene:
    """Anything that a room may hold, by chance; only what is for training."""
    n = seconds * RATE
    frames = n // FRAME
    speech, event, unsure = (np.zeros(frames, bool) for _ in range(3))
    out = noises.room(n, rng) * gain(rng.uniform(-80, -50))
    bed_db = rng.uniform(-62, -24)
    kind = rng.random()
    if kind < 0.36:
        names = sorted(noises.TRAIN)
        bed = noises.TRAIN[names[int(rng.integers(len(names)))]](n, rng)
    elif kind < 0.82:
        beds = music.beds(music.ANY if rng.random() < 0.7 else music.TRAIN_TIMBRES)
        bed = beds[sorted(beds)[int(rng.integers(len(beds)))]](n, rng)
    elif kind < 0.9:
        bed = noises.typing(n, rng)
    elif kind < 0.93:
        bed = voices.babble(n, rng, voices.TRAIN_VOICES, train=True)
        unsure[:] = True
    else:
        bed = np.zeros(n)
    out += bed * _presence(n, rng) * gain(bed_db)
    if rng.random() < 0.65:
        at = rng.uniform(0, 6)
        speech_db = min(-8.0, bed_db + rng.uniform(-1, 25))
        while at < seconds:
            sound = voices.say(rng, voices.TRAIN_VOICES, train=True)
            said = _mix(out, sound * gain(speech_db + rng.uniform(-2, 2)), at)
            speech[said : said + len(active(sound))] |= active(sound)[: frames - said]
            at += len(sound) / RATE + rng.exponential(1.5)
    if rng.random() < 0.35:
        names = sorted(alarms.TRAIN)
        at = rng.uniform(0, 8)
        while at < seconds:
            sound = alarms.TRAIN[names[int(rng.integers(len(names)))]](rng)
            if rng.random() < 0.5:
                sound = voices.in_a_room(sound, rng)
            rung = _mix(out, sound * gain(min(-8.0, bed_db + rng.uniform(2, 25))), at)
            event[rung : rung + len(active(sound))] |= active(sound, 20, 1)[: frames - rung]
            at += len(sound) / RATE + rng.exponential(4)
    return Scene(to_pcm(out), speech, event, unsure & ~speech)


def _presence(n: int, rng: np.random.Generator) -> Samples:
    """The envelope of a background: there all along, or it starts, or stops."""
    time_s = np.arange(n) / RATE
    out = np.ones(n)
    if rng.random() < 0.4:
        out *= np.clip((time_s - rng.uniform(0, 12)) / rng.uniform(0.01, 1.5), 0, 1)
    if rng.random() < 0.2:
        out *= np.clip((rng.uniform(8, 20) - time_s) / rng.uniform(0.01, 1.5), 0, 1)
    return out


def _mix(out: Samples, sound: Samples, at_s: float) -> int:
    """Add the sound at a whole frame; -> that frame."""
    frame = int(at_s * RATE) // FRAME
    part = out[frame * FRAME : frame * FRAME + len(sound)]
    part += sound[: len(part)]
    return frame
