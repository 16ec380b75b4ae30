"""MFCC in Rust, the device's and the host's, beside librosa in float64 without its floor of 80 dB."""

import numpy as np
import pytest

SPEECH = {"sample_rate": 16_000, "n_fft": 512, "hop_length": 160, "n_mels": 40, "n_mfcc": 13}
LIBROSA = {"sample_rate": 22_050, "n_fft": 2048, "hop_length": 512, "n_mels": 128, "n_mfcc": 20}
# The most and the least that a device takes; empty bands, and a number of points that is no power of four.
DEVICE_SETS = [
    SPEECH,
    LIBROSA,
    {"sample_rate": 48_000, "n_fft": 1024, "hop_length": 1024, "n_mels": 64, "n_mfcc": 64},
    {"sample_rate": 8_000, "n_fft": 256, "hop_length": 100, "n_mels": 128, "n_mfcc": 128},
    {"sample_rate": 1_000, "n_fft": 128, "hop_length": 128, "n_mels": 1, "n_mfcc": 1},
]
HOST_SETS = [
    SPEECH,
    LIBROSA,
    {"sample_rate": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": 80, "n_mfcc": 20},
]
CASES = [("mfcc_device", params) for params in DEVICE_SETS] + [("mfcc", params) for params in HOST_SETS]


@pytest.fixture(scope="module")
def librosa():
    return pytest.importorskip("librosa")


@pytest.fixture(scope="module")
def sounds(recordings) -> dict[str, np.ndarray]:
    """The recordings, and tones that no 16 bits have rounded: beside them the bands are all but empty."""
    at = np.arange(16_000) / 16_000
    tones = {
        f"pure_{hz}": np.sin(2 * np.pi * hz * at).astype(np.float32) for hz in (125, 440, 1000, 2517.3, 7400)
    }
    return recordings | tones | {"pure_30": 30 * tones["pure_440"], "offset": np.ones(16_000, np.float32)}


def exact(librosa, pcm: np.ndarray, params: dict[str, int]) -> np.ndarray:
    """librosa's coefficients in float64, top_db=None: (n_mfcc, frames)."""
    spectrogram = librosa.feature.melspectrogram(
        y=pcm.astype(np.float64),
        sr=params["sample_rate"],
        **{name: params[name] for name in ("n_fft", "hop_length", "n_mels")},
    )
    return librosa.feature.mfcc(S=librosa.power_to_db(spectrogram, top_db=None), n_mfcc=params["n_mfcc"])


@pytest.mark.parametrize(("name", "params"), CASES)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_coefficients_lie_within_a_thousandth(native, sounds, librosa, name, params):
    for sound, pcm in sounds.items():
        ours = getattr(native, name)(pcm, **params)
        # float32 itself has steps of 6e-5 at 1000, where the first coefficient lies.
        np.testing.assert_allclose(ours, exact(librosa, pcm, params), atol=1e-3, rtol=0, err_msg=sound)


@pytest.mark.parametrize("params", DEVICE_SETS)
def test_the_device_has_what_the_host_has(native, sounds, params):
    for sound, pcm in sounds.items():
        ours, hosts = native.mfcc_device(pcm, **params), native.mfcc(pcm, **params)
        np.testing.assert_allclose(ours, hosts, atol=1e-3, rtol=0, err_msg=sound)


@pytest.mark.parametrize(("name", "defaults"), [("mfcc", LIBROSA), ("mfcc_device", SPEECH)])
def test_the_defaults_are_librosas_and_the_devices(native, recordings, name, defaults):
    function, pcm = getattr(native, name), recordings["noise"]
    np.testing.assert_array_equal(function(pcm), function(pcm, **defaults))


BOTH = [
    ({"hop_length": 0}, "hop_length: 0 is not a number from 1 to 512"),
    ({"hop_length": 513}, "hop_length: 513 is not a number from 1 to 512"),
    ({"n_mels": 0}, "n_mels: 0 is not a number from 1 to"),
    ({"n_mfcc": 0}, "n_mfcc: 0 is not a number from 1 to 40"),
    ({"n_mfcc": 41}, "n_mfcc: 41 is not a number from 1 to 40"),
    ({"sample_rate": 999}, "sample_rate: 999 is not a number from 1000 to 96000"),
    ({"sample_rate": 96_001}, "sample_rate: 96001 is not a number from 1000 to 96000"),
]
HOSTS = [
    ({"n_fft": 511}, "n_fft: 511 is not an even number from 16 to 65536"),
    ({"n_fft": 14}, "n_fft: 14 is not an even number from 16 to 65536"),
    ({"n_fft": 65_538}, "n_fft: 65538 is not an even number from 16 to 65536"),
    ({"n_mels": 1025}, "n_mels: 1025 is not a number from 1 to 1024"),
]
DEVICES = [
    ({"n_fft": 400}, "n_fft: 400 is not a power of two from 128 to 2048"),
    ({"n_fft": 64}, "n_fft: 64 is not a power of two from 128 to 2048"),
    ({"n_fft": 4096}, "n_fft: 4096 is not a power of two from 128 to 2048"),
    ({"n_fft": 0}, "n_fft: 0 is not a power of two from 128 to 2048"),
    ({"n_mels": 129}, "n_mels: 129 is not a number from 1 to 128"),
]
REFUSED = [("mfcc", *case) for case in BOTH + HOSTS] + [("mfcc_device", *case) for case in BOTH + DEVICES]


@pytest.mark.parametrize(("name", "change", "said"), REFUSED)
def test_parameters_beyond_their_bounds_are_named_with_them(native, name, change, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        getattr(native, name)(np.zeros(100, np.float32), **(SPEECH | change))
