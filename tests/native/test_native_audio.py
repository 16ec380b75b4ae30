"""Conditioning, levels and IMA-ADPCM in Rust, bit for bit beside MicroPython's application and audioop."""

import warnings
from array import array

import numpy as np
import pytest
from minerva import dsp

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # until 3.12; from 3.13 on audioop-lts has the name
    import audioop


def _conditioned(slots, gain_db):
    pcm = array("H", bytes(2 * len(slots)))
    halves = array("H", slots.astype("<i4").tobytes())
    state = array("H", bytes(dsp.new_filter()))
    dsp.condition(halves, len(slots), pcm, 0, state, dsp.gain_factor(gain_db))
    return np.frombuffer(pcm.tobytes(), np.int16)


@pytest.fixture(scope="module")
def slots(material):
    """int32 (n,) by name: the material as a quiet microphone gives it, offset and at full scale."""
    rng = np.random.default_rng(3)
    noise = rng.integers(-(2**31), 2**31, 4000)
    speech = material["speech"][:8000].astype(np.int64) * 2**12 + 0x0123_4567
    rails = np.where(np.arange(2000) % 50 < 25, -(2**31), 2**31 - 1)
    return {
        name: x.astype(np.int32) for name, x in {"noise": noise, "speech": speech, "rails": rails}.items()
    }


@pytest.mark.parametrize("gain_db", [-12, 0, 3.5, 24, 48])
def test_conditioned_as_the_application_does(native, slots, gain_db):
    for name, raw in slots.items():
        ours = native.Conditioner(gain_db).process(raw)
        np.testing.assert_array_equal(ours, _conditioned(raw, gain_db), err_msg=name)


def test_every_gain_that_settings_can_name_gives_the_applications_factor(native):
    slots = np.array([0, 1 << 23], np.int32)  # 128 times the gain, after the first
    for tenth in range(-120, 481):
        gain_db = tenth / 10
        assert native.Conditioner(gain_db).process(slots)[1] == _conditioned(slots, gain_db)[1], gain_db


def test_conditioning_goes_on_where_it_was(native, slots):
    whole = native.Conditioner(24.0).process(slots["speech"])
    conditioner = native.Conditioner(24.0)
    pieces = [conditioner.process(piece) for piece in np.array_split(slots["speech"], 13)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_levels_are_the_applications(native, material):
    for name, pcm in material.items():
        for frame in pcm[: len(pcm) // 320 * 320].reshape(-1, 320)[:100]:
            peak = array("H", [0])
            level = dsp.measure(array("H", frame.tobytes()), peak)
            assert native.frame_cdb(frame) == level, name
            assert native.peak(frame) == peak[0], name
    for amplitude in range(-1, 32768):
        assert native.amplitude_cdb(amplitude) == dsp.amplitude_cdb(amplitude)


def test_adpcm_is_audioops_in_both_directions(native, material):
    for name, pcm in material.items():
        pcm = pcm[: len(pcm) // 2 * 2]
        coded, state = native.adpcm_encode(pcm)
        expected, expected_state = audioop.lin2adpcm(pcm.tobytes(), 2, None)
        assert coded == expected and state == expected_state, name
        decoded, state = native.adpcm_decode(coded)
        expected, expected_state = audioop.adpcm2lin(coded, 2, None)
        assert decoded.tobytes() == expected and state == expected_state, name


def test_adpcm_of_any_bytes_from_any_state_is_audioops(native):
    rng = np.random.default_rng(4)
    for _ in range(200):
        coded, state = rng.bytes(64), (int(rng.integers(-32768, 32768)), int(rng.integers(0, 89)))
        decoded, after = native.adpcm_decode(coded, state)
        assert (decoded.tobytes(), after) == audioop.adpcm2lin(coded, 2, state)
        again, after = native.adpcm_encode(decoded, state)
        assert (again, after) == audioop.lin2adpcm(decoded.tobytes(), 2, state)
