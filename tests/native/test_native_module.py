"""minerva_native as a Python module: what it says of wrong arguments, its stub, that it lets others run."""

import ast
import sys
import threading
from importlib.resources import files

import numpy as np
import pytest

FEATURES = ["mel64_u8", "mel64_log", "mel64_magnitudes", "whisper_logmel", "mfcc", "mfcc_device"]
HEARERS = [*FEATURES, "adpcm_encode", "peak"]


@pytest.mark.parametrize("name", HEARERS)
@pytest.mark.parametrize(
    ("pcm", "said"),
    [
        (np.zeros(1000), r"pcm: expected .*int16, got an array of float64 with shape \[1000\]"),
        (
            np.zeros((10, 100), np.int16),
            r"pcm: expected .*int16, got an array of int16 with shape \[10, 100\]",
        ),
        ([0] * 1000, "pcm: expected .*int16, got <class 'list'>"),
        (None, "pcm: expected .*int16, got <class 'NoneType'>"),
        (np.zeros(1000, ">i2"), "pcm: expected .*int16, got an array of >i2"),
    ],
)
def test_another_type_is_a_type_error_that_says_what_came(native, name, pcm, said):
    with pytest.raises(TypeError, match=said):
        getattr(native, name)(pcm)


@pytest.mark.parametrize("name", HEARERS)
def test_an_array_with_gaps_is_refused(native, name):
    with pytest.raises(ValueError, match="pcm: the array is not contiguous"):
        getattr(native, name)(np.zeros(2000, np.int16)[::2])


@pytest.mark.parametrize("name", ["whisper_logmel", "mfcc", "mfcc_device"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_place(native, name, value):
    pcm = np.zeros(1000, np.float32)
    pcm[321] = value
    with pytest.raises(ValueError, match="pcm: sample 321 is"):
        getattr(native, name)(pcm)
    pcm[321] = np.finfo(
        np.float32
    ).max  # a number: its sum with another overflows, and is no reason to refuse it
    pcm[322] = np.finfo(np.float32).max
    getattr(native, name)(pcm)


def test_values_beyond_their_bounds_are_named(native):
    silence = np.zeros(1000, np.int16)
    with pytest.raises(ValueError, match="n_mels: 64 is neither 80 nor 128"):
        native.whisper_logmel(silence, 64)
    with pytest.raises(ValueError, match="200 samples; fewer than 201"):
        native.whisper_logmel(silence[:200])
    with pytest.raises(ValueError, match="3 samples do not fill whole bytes"):
        native.adpcm_encode(silence[:3])
    with pytest.raises(ValueError, match="the index 89 lies outside 0 to 88"):
        native.adpcm_decode(b"", (0, 89))
    with pytest.raises(ValueError, match="319 samples; a frame has 320"):
        native.frame_cdb(silence[:319])
    with pytest.raises(ValueError, match=r"gain_db: 48\.5 lies outside -12 to 48"):
        native.Conditioner(48.5)
    with pytest.raises(
        TypeError, match=r"hops: expected .* \(hops, 64\), got an array of uint8 with shape \[2, 63\]"
    ):
        native.Gate().frame(0, np.zeros((2, 63), np.uint8))


@pytest.fixture
def no_switching():
    """A thread that runs keeps the interpreter until it waits or releases it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("no_switching")
@pytest.mark.parametrize("name", [*FEATURES, "adpcm_encode"])
def test_the_interpreter_is_released_meanwhile(native, name):
    pcm = np.random.default_rng(5).integers(-3000, 3000, 16_000 * 20, dtype=np.int16)
    function = getattr(native, name)
    began, over = threading.Event(), threading.Event()

    def call():
        began.set()
        for _ in range(20):
            function(pcm)
        over.set()

    other = threading.Thread(target=call)
    other.start()
    began.wait()  # and then for the interpreter: it comes back when the other releases it, or has ended
    released = not over.is_set()
    other.join()
    assert released


def test_the_stub_has_what_the_module_has_and_marks_it_as_typed(native):
    folder = files("minerva_native")
    assert (folder / "py.typed").is_file()
    tree = ast.parse((folder / "__init__.pyi").read_text())
    stubbed = {
        node.name: {item.name for item in getattr(node, "body", []) if isinstance(item, ast.FunctionDef)}
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    public = {name for name in native.__all__ if not name.startswith("_")}
    assert set(stubbed) == public
    for name, members in stubbed.items():
        if isinstance(getattr(native, name), type):
            has = {member for member in vars(getattr(native, name)) if not member.startswith("_")}
            assert members - {"__new__"} == has, name
