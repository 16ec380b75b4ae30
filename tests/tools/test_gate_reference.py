"""The gate's network, reference, training and material: what must hold before figures mean anything."""

import numpy as np
import pytest
from minerva.gate import Gate as EnergyGate
from minerva_tools.gate import network, reference, training
from minerva_tools.material import alarms, judged, music, noises, scenes
from minerva_tools.render import RenderError, speak

RATE = noises.RATE


@pytest.fixture(scope="module")
def weights():
    return network.load()


def test_the_rust_constants_are_those_of_the_weights():
    assert network.RUST.read_text() == network.rust(network.load())


def test_weights_and_sums_fit_the_integers_of_the_rust_gate(weights):
    for name, values in weights.items():
        assert np.abs(values).max() <= (2**30 if "bias" in name else 127), name
    worst = np.abs(weights["dense"]).sum(1).max() * 128 + np.abs(weights["dense_bias"]).max()
    assert worst < 2**31


def test_scores_of_a_whole_recording_are_those_frame_by_frame(weights):
    rng = np.random.default_rng(1)
    rows = rng.integers(-64, 128, (150, 128)).astype(np.int8)
    history = [np.zeros((150 + 64, 16), np.int64) for _ in network.DILATIONS]
    for at, row in enumerate(rows):

        def activation(total):
            return np.clip((total + 32) // 64, 0, 127)

        now = activation(weights["dense"] @ row.astype(np.int64) + weights["dense_bias"])
        score = weights["out_bias"] + weights["out"][0] @ now
        for layer, back in enumerate(network.DILATIONS):
            history[layer][at + 64] = now
            before = history[layer][at + 64 - back]
            now = activation(
                weights["now"][layer] @ now + weights["before"][layer] @ before + weights["bias"][layer]
            )
            score += weights["out"][layer + 1] @ now
        assert score == network.scores(weights, rows[: at + 1])[at]


def test_gradients_are_those_of_differences():
    rng = np.random.default_rng(0)
    p = {name: value.astype(np.float64) for name, value in training.fresh(rng).items()}
    x = rng.standard_normal((2, 80, 128))
    wanted = (rng.random((2, 80)) > 0.5) * 1.0

    def loss(p):
        logits, _ = training.forward(p, x, False)
        return float((np.logaddexp(0, logits) - wanted * logits).sum())

    logits, kept = training.forward(p, x, False)
    found = training.gradients(p, x, kept, 1 / (1 + np.exp(-logits)) - wanted)
    for name, value in p.items():
        for _ in range(3):
            at = tuple(int(rng.integers(size)) for size in value.shape)
            up, down = value.copy(), value.copy()
            up[at] += 1e-6
            down[at] -= 1e-6
            difference = (loss({**p, name: up}) - loss({**p, name: down})) / 2e-6
            assert np.asarray(found[name])[at] == pytest.approx(difference, rel=1e-3, abs=1e-4), name


def test_training_learns_a_simple_difference():
    rng = np.random.default_rng(2)
    wanted = np.repeat(rng.integers(0, 2, (32, 5)), 20, axis=1).astype(np.float32)
    rows = (20 * wanted[..., None] + rng.integers(-9, 10, (32, 100, 128))).astype(np.int8)
    weights = training.integers(training.fit(rows, wanted, np.ones_like(wanted), 30))
    said = network.scores(weights, rows[0]) > 0
    assert np.mean(said == wanted[0]) > 0.97


@pytest.mark.parametrize("name", sorted(judged.backgrounds()))
def test_a_background_is_at_its_level_and_the_same_each_time(name):
    if name == "babble":
        _voices_or_skip()
    noise = judged.backgrounds()[name]
    first, second = (noise(RATE, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.sqrt(np.mean(first**2)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", sorted(judged.ALARMS))
def test_an_alarm_is_at_its_level_and_the_gate_by_level_hears_it_over_20_db(name):
    sound = judged.ALARMS[name](np.random.default_rng(6))
    rms = np.sqrt(np.mean(sound[: len(sound) // 320 * 320].reshape(-1, 320) ** 2, axis=1))
    assert np.sqrt(np.mean(rms[rms > rms.max() * 10**-0.75] ** 2)) == pytest.approx(1, abs=0.05)
    recording = judged.alarm(20, name, noises.room, 1)
    assert judged.is_sent(recording, reference.by_level(scenes.frames_of(recording.pcm)[0])[0])


def test_what_judges_was_not_trained_on():
    assert not set(music.TRAIN_TIMBRES) & set(music.UNSEEN_TIMBRES)
    assert not set(noises.TRAIN) & set(noises.UNSEEN)
    assert not set(alarms.TRAIN) & set(alarms.UNSEEN)
    from minerva_tools.material import voices

    assert not set(voices.TRAIN_VOICES) & set(voices.TEST_VOICES)
    assert not set(voices.texts(True)) & set(voices.texts(False))


def test_the_pre_roll_counts_as_sent():
    is_open = np.zeros(100, bool)
    is_open[50:60] = True
    assert np.flatnonzero(judged.sent(is_open)).tolist() == list(range(26, 60))
    is_open[10:20] = True
    assert np.flatnonzero(judged.sent(is_open))[0] == 0


def test_the_features_of_a_frame_are_the_hops_that_it_completed():
    pcm = scenes.to_pcm(0.1 * noises.white(RATE, np.random.default_rng(7)))
    levels, hops = scenes.frames_of(pcm)
    assert levels.shape == (50,) and hops.shape == (50, 2, 64)
    assert abs(levels.mean() + 2000) < 30
    late = pcm.copy()
    late[10 * 320 :] = 0  # nothing of frame 10 or later is known in frame 9
    assert np.array_equal(scenes.frames_of(late)[1][:10], hops[:10])


def test_speech_in_noise_is_sent_and_noise_is_not(weights):
    _voices_or_skip()
    talk = judged.speech(10, "pink", noises.pink, 3)
    levels, hops = scenes.frames_of(talk.pcm)
    is_open = reference.gate(weights, levels, hops)
    assert judged.sent(is_open)[talk.truth].mean() > 0.97
    still = judged.nonspeech(10, "fan", noises.fan, 3)
    levels, hops = scenes.frames_of(still.pcm)
    assert reference.gate(weights, levels, hops)[still.truth].mean() < 0.1


def test_what_surely_is_speech_pays_for_sudden_sounds():
    beat = np.arange(3000) % 150
    levels, floors = np.full(3000, -5700, np.int32), np.full(3000, -6000, np.int32)
    notes = np.where(beat < 30, beat + 1, 0)
    never = np.zeros(3000, bool)
    alone = reference.sudden(levels, floors, notes, never, never)
    among_words = reference.sudden(levels, floors, notes, never, (beat > 100) & (beat < 140))
    assert alone.sum() < 200 and among_words.sum() > 1400


def test_by_level_is_the_devices_gate():
    levels = np.array([-6000] * 100 + [-4700] * 5 + [-6000] * 100, np.int32)
    gate = EnergyGate()
    assert reference.by_level(levels)[0].tolist() == [gate.update(int(level)) for level in levels]


def _voices_or_skip():
    try:
        speak("Yes.", "slt")
    except RenderError as problem:
        pytest.skip(str(problem))
