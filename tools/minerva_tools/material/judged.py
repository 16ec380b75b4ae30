"""What gates are judged on: voices, timbres and seeds that were not trained on, with the truth beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from minerva_tools.material import alarms, music, noises, voices
from minerva_tools.material.noises import RATE, Noise, Samples
from minerva_tools.material.scenes import FRAME, Flags, active, gain, to_pcm

SNRS_DB: Final = (20, 10, 5)
SPEECH_DBFS: Final = -30.0
PRE_ROLL_FRAMES: Final = 24  # 480 ms, as the recorder keeps
LEAD_S: Final = 3.0
SEED: Final = 0x6A7E

ALARMS: Final = alarms.TRAIN | alarms.UNSEEN
CLAPS: Final = ("clap", "thud")  # neither alarm, chime nor crash: counted apart
STEADY: Final = ("noise", "hum", "music")  # the kinds of which 90 % must stay


@dataclass(frozen=True, slots=True)
class Judged:
    """One recording: pcm int16; `truth` (n,): the frames of speech, of the alarm, or of what should stay."""

    name: str
    pcm: NDArray[np.int16]
    truth: Flags


def sent(is_open: Flags) -> Flags:
    """What goes to the hub: while the gate is open, and the pre-roll before it opened."""
    out = is_open.copy()
    for at in np.flatnonzero(is_open & ~np.append(False, is_open[:-1])):
        out[max(0, at - PRE_ROLL_FRAMES) : at] = True
    return out


def backgrounds() -> dict[str, Noise]:
    """All that may be behind speech: noises, music in unseen timbres, clicks, babble."""
    beds = {f"music_{name}": bed for name, bed in music.beds(music.UNSEEN_TIMBRES).items()}

    def babble(n: int, rng: np.random.Generator) -> Samples:
        return voices.babble(n, rng, voices.TEST_VOICES, train=False)

    steady = {name: noise for name, noise in (noises.TRAIN | noises.UNSEEN).items()}
    return {**steady, **beds, **noises.CLICKS, "babble": babble}


def kind_of(name: str) -> str:
    """The kind that a background belongs to in the tables: noise, hum, tone, music, clicks, babble."""
    kinds = {
        "hum": "hum",
        "fan": "hum",
        "vacuum": "hum",
        "tone": "tone",
        "typing": "clicks",
        "babble": "babble",
    }
    return "music" if name.startswith("music_") else kinds.get(name, "noise")


def speech(snr_db: float, background: str, noise: Noise, seed: int, seconds: int = 40) -> Judged:
    """People talk now and then, `snr_db` over the background (RMS while speaking over RMS)."""
    rng = np.random.default_rng([SEED, 1, seed])
    n = seconds * RATE
    out = noise(n, rng) * gain(SPEECH_DBFS - snr_db)
    truth = np.zeros(n // FRAME, bool)
    at = LEAD_S
    while True:
        sound = voices.say(rng, voices.TEST_VOICES, train=False, vary=rng.random() < 0.5)
        frame = round(at * RATE) // FRAME
        if frame * FRAME + len(sound) > n:
            return Judged(background, to_pcm(out), truth)
        out[frame * FRAME : frame * FRAME + len(sound)] += sound * gain(SPEECH_DBFS)
        on = active(sound, 30)
        truth[frame : frame + len(on)] |= on
        at += len(sound) / RATE + rng.uniform(0.4, 5)


def nonspeech(
    under_db: float, background: str, noise: Noise, seed: int, over_db: float = 10.0, seconds: int = 60
) -> Judged:
    """A background alone, `under_db` below speech; it begins `over_db` over a quiet room."""
    rng = np.random.default_rng([SEED, 2, seed])
    n = seconds * RATE
    level_db = SPEECH_DBFS - under_db
    out = noises.pink(n, rng) * gain(level_db - over_db)
    begin = round(LEAD_S * RATE)
    out[begin:] += noise(n - begin, rng) * gain(level_db)
    truth = np.zeros(n // FRAME, bool)
    truth[begin // FRAME :] = True
    return Judged(background, to_pcm(out), truth)


def alarm(snr_db: float, name: str, behind: Noise, seed: int) -> Judged:
    """An alarm (RMS while it sounds) `snr_db` over a background that has been there for five seconds."""
    rng = np.random.default_rng([SEED, 3, seed])
    sound = ALARMS[name](rng)
    if rng.random() < 0.5:
        sound = voices.in_a_room(sound, rng)
    lead = 5 * RATE
    n = lead + len(sound) + 2 * RATE
    out = behind(n, rng) * gain(SPEECH_DBFS - snr_db)
    out[lead : lead + len(sound)] += sound * gain(SPEECH_DBFS)
    truth = np.zeros(n // FRAME, bool)
    on = active(sound, 15, 1)
    truth[lead // FRAME : lead // FRAME + len(on)] = on[: n // FRAME - lead // FRAME]
    return Judged(name, to_pcm(out), truth)


def is_sent(judged: Judged, is_open: Flags) -> bool:
    """Whether at least half of what the alarm sounds in its first four seconds is sent."""
    first = int(np.flatnonzero(judged.truth)[0])
    part = slice(first, first + 200)
    return float(sent(is_open)[part][judged.truth[part]].mean()) >= 0.5


def cases(seed: int) -> Iterator[tuple[str, Judged]]:
    """All there is to judge, each in its group.

    The groups: `missed_<SNR>_<kind>`, `quiet_<kind>`, and `alarms_` and `claps_` with an SNR or `music`.
    """
    behind = backgrounds()
    for turn, (name, noise) in enumerate(2 * list(behind.items())):
        for snr_db in SNRS_DB:
            own = seed + 1000 * turn + snr_db
            yield f"missed_{snr_db}_{kind_of(name)}", speech(snr_db, name, noise, own)
        if name != "babble":  # voices are let through
            over_db = 10.0 if turn < len(behind) else 25.0
            yield f"quiet_{kind_of(name)}", nonspeech(10, name, noise, seed + turn, over_db)
    for k, name in enumerate(sorted(ALARMS)):
        for turn, other in enumerate((noises.room, noises.fan, noises.pink, behind["music_band"])):
            for snr_db in SNRS_DB if turn < 3 else (10,):
                group = f"{'claps' if name in CLAPS else 'alarms'}_{snr_db if turn < 3 else 'music'}"
                own = seed + 1000 * k + 100 * turn + snr_db
                yield group, alarm(snr_db, name, other, own)
