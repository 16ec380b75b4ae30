"""Tone: prosody of made voices, speakers against their own baseline, affect only where a model tells it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.config import ToneConfig
from minerva_hub.diarize.features import analyse
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo, Prosody, Tone
from minerva_hub.pipeline.tones import MAX_KEPT, Sounding, ToneMeter, Tones
from minerva_hub.store.rows import pack_tone, unpack_tone
from minerva_hub.tone import NoModel, Reading, Relative, choose_reader, measure, tone_of
from minerva_hub.tone.wav2vec2 import Wav2Vec2Reader, _loudest

RATE = 16_000


def syllables(
    hertz: float,
    count: int,
    *,
    each_s: float = 0.16,
    gap_s: float = 0.08,
    db: float = -20.0,
    bend: float = 0.0,
) -> np.ndarray:
    """`count` vowels of a buzz: int16; `bend` semitones of glide from the first to the last."""
    pieces = []
    phase = 0.0
    for number in range(count):
        t = np.arange(round(each_s * RATE)) / RATE
        f = hertz * 2 ** (bend * (number / max(1, count - 1) - 0.5) / 12)
        turns = phase + f * t
        wave = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 20))
        pieces += [wave * np.hanning(len(t)), np.zeros(round(gap_s * RATE))]
        phase = turns[-1]
    samples = np.concatenate(pieces)
    samples += np.random.default_rng(1).normal(0, 1e-3, len(samples))
    loud = samples * 10 ** (db / 20) / np.sqrt(np.mean(samples**2))
    return np.clip(loud * 32768, -32768, 32767).astype(np.int16)


def heard(pcm: np.ndarray) -> Prosody:
    found = measure(pcm, analyse(pcm))
    assert found is not None
    return found


@pytest.mark.parametrize("hertz", [95.0, 140.0, 230.0])
def test_pitch_is_that_of_the_voice(hertz: float) -> None:
    found = heard(syllables(hertz, 8))
    assert found.pitch_hz == pytest.approx(hertz, rel=0.03)
    assert found.pitch_range_st is not None and found.pitch_range_st < 1.0


def test_range_level_and_rate_follow_the_voice() -> None:
    plain, wide = heard(syllables(140, 8)), heard(syllables(140, 8, bend=8.0))
    assert plain.pitch_range_st is not None and wide.pitch_range_st is not None
    assert wide.pitch_range_st > plain.pitch_range_st + 4
    assert heard(syllables(140, 8, db=-30)).level_db == pytest.approx(plain.level_db - 10, abs=0.5)
    quick = heard(syllables(140, 12, each_s=0.11, gap_s=0.05))
    assert plain.rate_hz == pytest.approx(1 / 0.24, rel=0.2)
    assert quick.rate_hz == pytest.approx(1 / 0.16, rel=0.2)


def test_pauses_are_counted_and_the_closures_of_stops_are_not() -> None:
    talk = syllables(140, 4)
    still = np.random.default_rng(2).normal(0, 3, RATE // 2).astype(np.int16)
    found = heard(np.concatenate([still, talk, still, talk, still]))
    assert found.longest_pause_s == pytest.approx(0.55, abs=0.1)
    assert 0.15 < found.pause_share < 0.35
    assert heard(talk).pause_share == 0


@pytest.mark.parametrize(
    "pcm",
    [np.zeros(0, np.int16), np.zeros(RATE, np.int16), syllables(140, 1)[:3000], syllables(140, 8, db=-50)],
)
def test_what_is_too_soft_or_too_short_has_no_prosody(pcm: np.ndarray) -> None:
    assert measure(pcm, analyse(pcm)) is None


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(3).normal(0, 2000, RATE).astype(np.int16)
    assert heard(noise).pitch_hz is None


# --- the trajectory ---


def prosody(**changes: Any) -> Prosody:
    usual: dict[str, Any] = dict(
        level_db=-30.0, pitch_hz=120.0, pitch_range_st=5.0, rate_hz=4.0, pause_share=0.1, longest_pause_s=0.2,
        spoken_s=2.0,
    )  # fmt: skip
    return Prosody(**{**usual, **changes})


USUAL = [prosody()] * 3


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ()),
        ({"level_db": -25.0}, ("louder",)),
        ({"level_db": -35.0}, ("quieter",)),
        ({"level_db": -26.1}, ()),
        ({"rate_hz": 5.0}, ("faster",)),
        ({"rate_hz": 3.0}, ("slower",)),
        ({"pitch_hz": 140.0}, ("higher",)),
        ({"pitch_hz": 100.0}, ("lower",)),
        ({"pitch_hz": None, "pitch_range_st": None}, ()),
        ({"pitch_range_st": 2.0}, ("flat",)),
        ({"pitch_range_st": 2.9}, ()),
        ({"pause_share": 0.4}, ("hesitant",)),
        ({"level_db": -20.0, "rate_hz": 6.0, "pitch_hz": 160.0}, ("louder", "faster", "higher")),
    ],
)
def test_flags_are_what_departs_from_the_speakers_own_usual(changes: dict, flags: tuple) -> None:
    assert Relative([*USUAL, prosody(**changes)]).flags == flags


def test_who_always_speaks_so_has_no_flags() -> None:
    loud = prosody(level_db=-10.0, pitch_hz=250.0, rate_hz=7.0)
    assert Relative([loud] * 6).flags == ()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_there_is_no_flag_and_no_shift_without_a_baseline(count: int) -> None:
    found = Relative([prosody(level_db=-60.0 + 20 * i) for i in range(count)])
    assert not found.known and found.flags == () and found.shift == "stable"
    tone = tone_of([prosody()] * count, None, "No emotion model")
    assert tone.reason == f"No emotion model; baseline: {count} of 3 utterances"


@pytest.mark.parametrize(
    ("levels", "shift"),
    [
        ([-30.0] * 5, "stable"),
        ([-28.0, -24.0, -18.0, -12.0], "escalating"),
        ([-12.0, -18.0, -24.0, -30.0, -30.0], "de-escalating"),
        ([-29.0, -31.0, -29.0, -31.0], "stable"),
    ],
)
def test_the_shift_is_where_the_last_five_go(levels: list[float], shift: str) -> None:
    found = Relative([*USUAL, *(prosody(level_db=db, pitch_hz=120 * 1.02 ** (db + 30)) for db in levels)])
    assert found.shift == shift
    assert (found.magnitude > 0.3) == (shift != "stable")


prosodies = st.builds(
    prosody,
    level_db=st.floats(-46, 0),
    pitch_hz=st.none() | st.floats(65, 400),
    pitch_range_st=st.none() | st.floats(0, 30),
    rate_hz=st.floats(0.1, 12),
    pause_share=st.floats(0, 1),
)


@given(st.lists(prosodies, min_size=1, max_size=12))
def test_every_history_gives_a_tone_within_bounds_that_is_stored_whole(said: list[Prosody]) -> None:
    tone = tone_of(said, None, "none")
    assert 0 <= tone.shift_magnitude <= 1 and abs(tone.arousal_delta) <= 3
    assert (tone.affect, tone.confidence) == ("neutral", 0.0)
    assert unpack_tone(pack_tone(tone)) == tone


def test_no_history_is_an_error() -> None:
    with pytest.raises(ValueError, match="no utterance"):
        tone_of([], None, "")


# --- engines ---


class Angry:
    info = EngineInfo(stage="tone", name="made", state="ready")

    def read(self, pcm: np.ndarray) -> Reading | None:
        return Reading("frustrated", 0.81234)


class Broken(Angry):
    def read(self, pcm: np.ndarray) -> Reading | None:
        raise EngineError("out of memory")


def test_a_model_that_fails_costs_the_affect_and_nothing_else() -> None:
    pcm = syllables(140, 8)
    good = ToneMeter(Angry()).listen(pcm, analyse(pcm))
    bad = ToneMeter(Broken()).listen(pcm, analyse(pcm))
    assert good is not None and bad is not None and good.prosody == bad.prosody
    told = Tones().tone(0, "Speaker A", good)
    untold = Tones().tone(0, "Speaker A", bad)
    assert told is not None and (told.affect, told.confidence) == ("frustrated", 0.812)
    assert untold is not None and untold.affect == "neutral"
    assert "The emotion model failed: out of memory" in untold.reason


def test_a_speaker_is_compared_with_themselves_alone_also_after_a_relabelling() -> None:
    tones = Tones()

    def said(key: int, who: str, **changes: Any) -> Tone:
        tone = tones.tone(key, who, Sounding(prosody(**changes), None, "none"))
        assert tone is not None
        return tone

    for key in range(3):
        said(2 * key, "Speaker A")
        said(2 * key + 1, "Speaker B", level_db=-10.0)
    assert said(6, "Speaker B", level_db=-10.0).flags == ()
    assert said(7, "Speaker A", level_db=-10.0).flags == ("louder",)
    tones.relabel({0: "Speaker C", 2: "Speaker C", 99: "Speaker C"})
    assert said(8, "Speaker A").reason.endswith("baseline: 3 of 3 utterances")
    assert tones.tone(9, "Speaker A", None) is None


def test_the_memory_of_a_session_is_bounded() -> None:
    tones = Tones()
    for key in range(MAX_KEPT + 5):
        tones.tone(key, f"Speaker {key}", Sounding(prosody(), None, ""))
    assert len(tones._heard) == MAX_KEPT and 4 not in tones._heard


def test_what_is_chosen_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minerva_hub.tone.choose.find_spec", lambda name: None)
    assert choose_reader(ToneConfig(engine="off")) is None
    plain = choose_reader(ToneConfig())
    assert isinstance(plain, NoModel) and "No emotion model" in plain.info.reason
    assert plain.info.state == "ready"  # no note at the top of the page: it does all that it can do
    without = choose_reader(ToneConfig(model=str(tmp_path)))
    assert isinstance(without, NoModel) and "torch and transformers not installed" in without.info.reason
    with pytest.raises(EngineUnavailableError, match=r"\[tone\] model must name"):
        choose_reader(ToneConfig(engine="wav2vec2"))
    with pytest.raises(EngineUnavailableError, match="minerva models pull wav2vec2-emotion"):
        choose_reader(ToneConfig(engine="wav2vec2"), tmp_path)


class Extractor:
    @staticmethod
    def from_pretrained(folder: Path, *, local_files_only: bool) -> Any:
        assert local_files_only
        if not (folder / "config.json").exists():
            raise OSError(f"{folder} does not appear to have a file named config.json")
        return lambda samples, *, sampling_rate, return_tensors: {"input_values": samples}


class Network:
    labels: ClassVar[dict[int, str]] = {0: "neu", 1: "hap", 2: "ang", 3: "sad"}

    @classmethod
    def from_pretrained(cls, folder: Path, *, local_files_only: bool) -> Network:
        return cls()

    def __init__(self) -> None:
        self.config = SimpleNamespace(id2label=self.labels)

    def eval(self) -> None: ...

    def __call__(self, input_values: np.ndarray) -> Any:
        logits = np.array([1.0, 0.0, 3.0, 0.0], np.float32)
        return SimpleNamespace(logits=[SimpleNamespace(numpy=lambda: logits)])


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins with the calls of transformers' documented interface; the libraries are gigabytes."""
    from contextlib import nullcontext

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(inference_mode=nullcontext))
    classes = {"AutoFeatureExtractor": Extractor, "AutoModelForAudioClassification": Network}
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(**classes))
    monkeypatch.setattr("minerva_hub.tone.choose.find_spec", lambda name: name)


def test_wav2vec2_reads_the_likeliest_word(libraries: None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    reader = choose_reader(ToneConfig(model=str(tmp_path)))
    assert isinstance(reader, Wav2Vec2Reader) and reader.info.state == "ready"
    found = reader.read(syllables(140, 8))
    shares = np.exp([1.0, 0.0, 3.0, 0.0])
    assert found is not None and found.affect == "frustrated"
    assert found.confidence == pytest.approx(shares[2] / shares.sum())
    assert reader.read(np.zeros(RATE // 4, np.int16)) is None


def test_a_folder_without_a_model_and_a_model_of_other_classes_are_named(
    libraries: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineUnavailableError, match=r"config\.json"):
        choose_reader(ToneConfig(engine="wav2vec2", model=str(tmp_path)))
    assert isinstance(choose_reader(ToneConfig(model=str(tmp_path))), NoModel)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(Network, "labels", {0: "neu", 1: "sneezing"})
    with pytest.raises(EngineUnavailableError, match="sneezing"):
        choose_reader(ToneConfig(engine="wav2vec2", model=str(tmp_path)))


def test_the_loudest_stretch_of_a_long_utterance_is_taken() -> None:
    pcm = np.full(30 * RATE, 10, np.int16)
    pcm[20 * RATE : 21 * RATE] = 9000
    part = _loudest(pcm, 15 * RATE)
    assert len(part) == 15 * RATE and np.count_nonzero(part == 9000) == RATE
    assert len(_loudest(pcm[:RATE], 15 * RATE)) == RATE


@pytest.mark.slow
def test_with_the_real_libraries(tmp_path: Path) -> None:
    """A network of random weights, saved and loaded by transformers itself."""
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: the extra `emotion`"
    )
    pytest.importorskip("torch", reason="torch is not installed: the extra `emotion`")
    config = transformers.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, id2label={0: "neu", 1: "ang"},
    )  # fmt: skip
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    found = Wav2Vec2Reader(tmp_path, "").read(syllables(140, 8))
    assert found is not None and found.affect in ("neutral", "frustrated")
