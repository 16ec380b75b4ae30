"""The sound network's material: two lists without a common member, truth that fits what can be heard."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.acoustic.labels import BACKGROUND, LABELS
from minerva_tools.material import music, voices
from minerva_tools.sounds import corpus, judging
from minerva_tools.sounds.clips import NEEDED, Clip, make, truth
from minerva_tools.sounds.families import HELD, ROOMS, TRAIN

README = Path(__file__).parents[2] / "models" / "training" / "README.md"
flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
VOICED = {"speech_rms", "speech_awb", "speech_slt", "speech_kal"}


def names(families: object) -> set[str]:
    return {one.__name__ for one in families}  # type: ignore[attr-defined]


def test_training_and_judging_share_no_generator_voice_timbre_or_room() -> None:
    assert tuple(TRAIN) == tuple(HELD) == LABELS
    train = set().union(*map(names, TRAIN.values()))
    held = set().union(*map(names, HELD.values()))
    assert not train & held
    assert not names(ROOMS["train"]) & names(ROOMS["held"])
    assert not set(voices.TRAIN_VOICES) & set(voices.TEST_VOICES)
    assert not set(voices.texts(True)) & set(voices.texts(False))
    assert not set(music.TRAIN_TIMBRES) & set(music.UNSEEN_TIMBRES)
    assert corpus.SEED != judging.SEED


def test_both_lists_are_written_down() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    told = {label: (train.split(", "), held.split(", ")) for label, train, held in rows}
    for label in LABELS:
        assert told[label] == (
            [one.__name__ for one in TRAIN[label]],
            [one.__name__ for one in HELD[label]],
        )
    assert told["rooms"] == ([r.__name__ for r in ROOMS["train"]], [r.__name__ for r in ROOMS["held"]])


@pytest.mark.parametrize("which", ["train", "held"])
def test_every_generator_sounds_and_is_its_seeds(which: str) -> None:
    lists = TRAIN if which == "train" else HELD
    for label, families in lists.items():
        for family in families:
            if family.__name__ in VOICED and shutil.which("flite") is None:
                continue
            sound = family(np.random.default_rng(3))
            assert np.isfinite(sound).all(), family
            assert 0.3 < len(sound) / 16_000 < 16, family
            assert np.abs(sound).max() > 0.05, family
            if label in NEEDED and label not in ("music", "hold_music", "speech"):
                assert np.array_equal(sound, family(np.random.default_rng(3))), family


def test_truth_goes_by_what_sounds() -> None:
    sounding = np.zeros(400, bool)
    sounding[200:300] = True
    clip = Clip("knock", "test", np.zeros(400 * 160, np.int16), sounding, "noise")

    def told(begin: int) -> dict[str, float]:
        wanted, counts = truth(clip, begin, 96)
        return {label: wanted[n] if counts[n] else -1 for n, label in enumerate(LABELS)}

    assert told(0)["noise"] == 1
    assert told(0)["knock"] == 0
    assert told(150)["knock"] == 1
    assert told(150)["noise"] == 0
    edge = 200 - 96 + NEEDED["knock"] - 1  # a hop too little
    assert told(edge)["knock"] == told(edge)["noise"] == told(edge)["silence"] == -1
    assert told(edge)["speech"] == 0


@pytest.mark.parametrize("snr_db", [5.0, 20.0])
def test_clips_have_the_ratio_that_is_asked_for(snr_db: float) -> None:
    rng = np.random.default_rng(1)
    clip = make("co_alarm", HELD["co_alarm"][0], "held", rng, snr_db)
    power = (clip.pcm[: len(clip.sounding) * 160].reshape(-1, 160).astype(float) ** 2).mean(1)
    behind, loud = power[~clip.sounding].mean(), power[clip.sounding].mean()
    assert 10 * np.log10(loud / behind - 1) == pytest.approx(snr_db, abs=3)
    assert 0.02 < clip.sounding.mean() < 0.3


def test_the_corpus_is_of_the_training_list_whatever_the_workers() -> None:
    numbers = [n for n in range(22) if corpus.turn(n) not in ("speech", *BACKGROUND)][:4]
    for number in numbers:
        first, again = corpus.job(number), corpus.job(number)
        assert np.array_equal(first[0], again[0])
        assert first[0].shape[1:] == (96, 64)
        assert first[1].shape == (len(first[0]), len(LABELS))
