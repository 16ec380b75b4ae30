"""MFCC in Rust beside librosa in float64, without its floor of 80 dB."""

import numpy as np
import pytest

SETS = [
    {"sample_rate": 16_000, "n_fft": 512, "hop_length": 160, "n_mels": 40, "n_mfcc": 13},
    {"sample_rate": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": 80, "n_mfcc": 20},
    {"sample_rate": 22_050, "n_fft": 2048, "hop_length": 512, "n_mels": 128, "n_mfcc": 20},
]


@pytest.fixture(scope="module")
def librosa():
    return pytest.importorskip("librosa")


@pytest.mark.parametrize("params", SETS)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_coefficients_lie_within_a_thousandth(native, recordings, librosa, params):
    names = {**params, "sr": params["sample_rate"]}
    del names["sample_rate"]
    for name, pcm in recordings.items():
        power = librosa.feature.melspectrogram(
            y=pcm.astype(np.float64), **{k: v for k, v in names.items() if k != "n_mfcc"}
        )
        exact = librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=params["n_mfcc"])
        ours = native.mfcc(pcm, **params)
        assert ours.shape == exact.shape, name
        # float32 itself has steps of 6e-5 at 1000, where the first coefficient lies.
        np.testing.assert_allclose(ours, exact, atol=1e-3, rtol=0, err_msg=name)


def test_the_defaults_are_librosas(native, recordings, librosa):
    pcm = recordings["noise"]
    power = librosa.feature.melspectrogram(y=pcm.astype(np.float64))
    exact = librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None))
    np.testing.assert_allclose(native.mfcc(pcm), exact, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_fft": 511}, "n_fft"),
        ({"n_fft": 0}, "n_fft"),
        ({"hop_length": 0}, "hop"),
        ({"hop_length": 2049}, "hop"),
        ({"n_mels": 0}, "n_mels"),
        ({"n_mfcc": 129}, "n_mfcc"),
        ({"sample_rate": 0}, "sample rate"),
    ],
)
def test_parameters_beyond_their_bounds_are_named(native, change, named):
    with pytest.raises(ValueError, match=named):
        native.mfcc(np.zeros(100, np.float32), **change)
