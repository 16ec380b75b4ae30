"""What a recogniser writes where nobody said it, and how it is told from speech.

The layers, in the order in which a stretch meets them: the energy floor and the speech detector of `segment`;
no conditioning on earlier text; the recogniser's own doubt (no speech, with improbable words); text that
compresses too well; words in a loop; the phrases that models learnt from subtitles, where it was nearly
silent and the recogniser is unsure. The last is narrow on purpose: people do say "thank you".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from minerva_hub.transcribe.base import sound_of

# The limits of OpenAI's decoder. A piece is dropped when the model itself thinks it is no speech, and not
# only a little; text that repeats itself compresses better than MAX_COMPRESSION.
MAX_NO_SPEECH: Final = 0.6
MIN_LOG_PROBABILITY: Final = -1.0
MAX_COMPRESSION: Final = 2.4

# Of a filler phrase: speech of devices has its loudest tenth of a second 15 to 30 dB above this.
NEAR_SILENCE_DB: Final = -50.0
WEAK_NO_SPEECH: Final = 0.3
WEAK_LOG_PROBABILITY: Final = -0.6

LONGEST_LOOP: Final = 8  # words that are looked at as one unit
# How often a unit of so many words may be said in a row; people say "no no no no", and a sentence thrice.
ALLOWED: Final = {1: 5}
ALLOWED_LONGER: Final = 3

FILLERS: Final = frozenset(
    (
        "you", "bye", "bye bye", "thank you", "thank you very much", "thank you so much", "thanks",
        "thanks for watching", "thank you for watching", "thank you for listening", "thanks for listening",
        "please subscribe", "like and subscribe", "please subscribe to my channel",
        "see you next time", "see you in the next video", "subtitles by the amara org community",
        "transcription by castingwords", "the end", "music", "applause", "silence",
        "untertitel der amara org community", "untertitelung des zdf", "vielen dank", "bis zum nächsten mal",
        "sous titres réalisés par la communauté d amara org", "merci d avoir regardé cette vidéo", "merci",
        "subtítulos realizados por la comunidad de amara org", "gracias", "gracias por ver el video",
        "sottotitoli creati dalla comunità amara org", "ondertiteling door de amara org gemeenschap",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a text: the model's figures, and its sound's loudest tenth of a second in dBFS."""

    no_speech: float
    log_probability: float
    compression: float
    peak_db: float


def is_speech(text: str, evidence: Evidence) -> bool:
    """Whether the text of a piece is believed."""
    if not text.strip() or evidence.compression > MAX_COMPRESSION:
        return False
    if evidence.no_speech > MAX_NO_SPEECH and evidence.log_probability < MIN_LOG_PROBABILITY:
        return False
    unsure = evidence.no_speech > WEAK_NO_SPEECH or evidence.log_probability < WEAK_LOG_PROBABILITY
    return not (unsure and evidence.peak_db < NEAR_SILENCE_DB and is_filler(text))


def is_filler(text: str) -> bool:
    """Whether the text is nothing but a phrase that models write into silence."""
    spoken = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    return " ".join(spoken.split()) in FILLERS


def without_loops(words: Sequence[str]) -> list[int]:
    """The places of the words that stay: a unit that comes too often in a row is kept once."""
    plain = [sound_of(word) for word in words]
    kept: list[int] = []
    at = 0
    while at < len(plain):
        size, times = _loop(plain, at)
        kept.extend(range(at, at + size))
        at += size * times
    return kept


def peak_db(pcm: NDArray[np.int16], rate: int = 16_000) -> float:
    """int16 (n,) -> RMS of its loudest tenth of a second in dBFS; -120 for digital silence."""
    size = max(1, min(len(pcm), rate // 10))
    whole = pcm[: len(pcm) // size * size].astype(np.float32).reshape(-1, size)
    if not whole.size:
        return -120.0
    power = float(np.mean(whole * whole, axis=1).max()) / 32768**2
    return max(-120.0, 10 * float(np.log10(power + 1e-12)))


def _loop(words: Sequence[str], at: int) -> tuple[int, int]:
    """(1, 1), or the length of the unit that begins here and comes too often in a row, and how often."""
    for size in range(1, LONGEST_LOOP + 1):
        unit = words[at : at + size]
        times = 1
        while words[at + size * times : at + size * (times + 1)] == unit and len(unit) == size:
            times += 1
        if times > ALLOWED.get(size, ALLOWED_LONGER):
            return size, times
    return 1, 1
