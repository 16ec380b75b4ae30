"""The material that the diarizer is tuned on and judged by, and the matrix made of it."""

from __future__ import annotations

from importlib import resources

import msgspec
import numpy as np
import pytest
from minerva_hub.diarize.voice import SPACE_FILE, STATISTICS, voice_space
from minerva_hub.errors import UserError
from minerva_tools import benching, diarizing
from minerva_tools import voice_space as maker
from minerva_tools.bench import der
from minerva_tools.material import sessions, speakers
from minerva_tools.scoring import Rate

needs_voices = pytest.mark.skipif(
    bool(speakers.missing_programs()), reason=f"not installed: {', '.join(speakers.missing_programs())}"
)


def test_no_voice_is_both_for_tuning_and_to_judge_by() -> None:
    assert not set(speakers.TUNING) & set(speakers.EVALUATION)
    assert len(set(speakers.TUNING)) == len(speakers.TUNING)
    for voices in (speakers.TUNING, speakers.EVALUATION):
        assert {voice.partition("/")[0] for voice in voices} == {"flite", "espeak"}


@needs_voices
def test_the_matrix_was_made_of_what_its_script_makes() -> None:
    """One room of 24: all of them take minutes; the script's --check does that."""
    shipped = msgspec.json.decode(resources.files("minerva_hub.diarize").joinpath(SPACE_FILE).read_bytes())
    made = maker.fingerprint(maker.room(0))
    # Other versions of the two programs speak a little otherwise.
    assert made == pytest.approx(shipped["first"], abs=0.02)


def test_directions_tell_voices_apart_and_are_scaled_by_the_scatter_within() -> None:
    rng = np.random.default_rng(3)
    parts = []
    for room in range(40):
        for voice in range(6):
            place = np.array([rng.normal(0, 5.0), rng.normal(0, 0.1), 0.0])
            noise = [place + rng.normal(0, 1.0, 3) / np.sqrt(2.0) for _ in range(20)]
            parts += [((room, voice), np.asarray(values), 2.0) for values in noise]
    within, between = maker.scatter(parts)
    assert np.diag(within) == pytest.approx([1.0] * 3, rel=0.1)
    assert between[0, 0] == pytest.approx(25.0, rel=0.3) and between[1, 1] < 0.2


def test_the_shipped_matrix_has_its_shape() -> None:
    space = voice_space()
    assert space.matrix.shape == (len(space.between), STATISTICS)
    assert (space.between > 0).all()


@needs_voices
def test_a_talk_says_truly_who_speaks_when() -> None:
    voices = ("flite/rms", "espeak/f1")
    made, again, noisy = (
        sessions.talk(np.random.default_rng(5), voices, snr_db=snr, train=True) for snr in (None, None, 15.0)
    )
    assert (made.pcm == again.pcm).all() and made.stretches == again.stretches == noisy.stretches
    speech = np.zeros(len(made.pcm), bool)
    for start_s, end_s, voice in made.stretches:
        assert voice in voices
        speech[round(start_s * 16000) : round(end_s * 16000)] = True
    assert float(np.std(made.pcm[speech])) > 20 * float(np.std(made.pcm[~speech]))
    noise_dbfs = 20 * np.log10(float(np.std(noisy.pcm[~speech])) / 32768)
    assert noise_dbfs == pytest.approx(sessions.SPEECH_DBFS - 15, abs=1)
    for voice in voices:
        assert sum(end - start for start, end, v in made.stretches if v == voice) >= 3.0


@needs_voices
def test_the_built_in_engine_tells_two_voices_apart_and_settles_on_it() -> None:
    made = sessions.talk(np.random.default_rng(5), ("flite/rms", "espeak/f1"), snr_db=15.0, train=True)
    found = der.judge(made, der.engine())
    assert (found.found, found.expected) == (2, 2)
    assert found.final.value < 0.1


def test_sessions_draw_from_both_programs() -> None:
    rng = np.random.default_rng(0)
    for count in (2, 3, 4):
        chosen = sessions.draw(rng, speakers.EVALUATION, count)
        assert len(set(chosen)) == count
        assert {voice.partition("/")[0] for voice in chosen} == {"flite", "espeak"}
    assert sessions.draw(rng, ("flite/rms", "flite/awb"), 2)


def test_sound_is_coded_as_devices_send_it() -> None:
    pcm = (3000 * np.sin(np.arange(5000) / 7)).astype(np.int16)
    heard = diarizing.coded(pcm)
    assert len(heard) == len(pcm) and not (heard == pcm).all()
    assert np.std((heard - pcm)[200:]) < 150


@pytest.mark.parametrize(
    ("voices", "why"),
    [
        (("flite/slt", "espeak/f2", "espeak/m1"), "conversations of up to 4"),
        (("flite/slt",) * 2 + ("espeak/f2", "espeak/m1"), "'flite/slt' is named twice"),
        (("flite/slt", "espeak/nobody", "espeak/f2", "espeak/m1"), "no variant 'nobody'"),
        (("flite/slt", "espeak/f2", "espeak/m1", "festival/x"), "allowed are flite/NAME and espeak/VARIANT"),
        (("flite/slt", "espeak/f2", "espeak/m1", "flite/nobody"), "no voice 'flite/nobody'"),
    ],
)
@needs_voices
def test_voices_that_cannot_be_had_are_named(voices: tuple[str, ...], why: str) -> None:
    report = benching.run(["der"], voices=voices)
    assert not report.ok and why in str(report.results[0].error)


def test_a_missing_program_fails_the_bench_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speakers.shutil, "which", lambda name: None if name == "espeak-ng" else name)
    report = benching.run(["der"])
    assert not report.ok and "apt install espeak-ng" in str(report.results[0].error)


def test_a_bench_that_takes_no_voices_says_so() -> None:
    with pytest.raises(UserError, match="bench store takes no voices"):
        benching.run(["store"], voices=["flite/slt"])


def test_the_bench_counts_and_means(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = (der.Judged(Rate(n + 1, 10), Rate(2 * n - 1, 10), n + 1, 2 * n) for n in (1, 2))
    judged = iter([right, wrong, der.Judged(Rate(1, 10), Rate(3, 10), 4, 4), wrong] * 2)
    monkeypatch.setattr(der, "SESSIONS", 4)
    monkeypatch.setattr(speakers, "check_voices", lambda voices: None)
    monkeypatch.setattr(sessions, "talk", lambda *_, **__: sessions.Talk(np.zeros(0, np.int16), (), ()))
    monkeypatch.setattr(der, "judge", lambda made, diarizer: next(judged))
    results = {result.name: result for result in der.run()}
    assert results["der"].value == pytest.approx((0.1 + 0.3 + 0.3 + 0.3) / 4) and not results["der"].ok
    assert results["counted"].value == 0.5 and not results["counted"].ok
    assert results["clean.der_online"].value == pytest.approx((0.2 + 0.3 + 0.1 + 0.3) / 4)
    assert results["clean.found_of_4"].value == pytest.approx((3 + 4 + 3) / 3)
