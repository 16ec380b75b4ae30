"""The `mel` bench: ratios and their limits, what is left out, and that all do the same work."""

import numpy as np
import pytest
import scipy.fft
from faster_whisper import feature_extractor
from minerva_tools.bench import _mel, mel

LEAST = {"whisper80": 1.0, "scipy": 4.0, "faster_whisper": 8.0, "librosa": 0.5}


def test_ratios_are_of_ours_to_theirs_and_only_they_have_limits():
    found = {r.name: r for r in mel.results(30, LEAST, {})}
    assert found["whisper80_30s"].value == pytest.approx(1e6 / 30) and found["whisper80_30s"].limit is None
    assert (found["of_scipy_30s"].value, found["of_scipy_30s"].limit) == (0.25, mel.MAX_OF_SCIPY)
    assert found["of_scipy_30s"].ok and found["of_faster_whisper_30s"].ok
    assert found["of_librosa_30s"].value == 2.0 and not found["of_librosa_30s"].ok


def test_a_rival_that_is_not_there_is_said_and_no_failure():
    found = {r.name: r for r in mel.results(1, LEAST, {"kaldi_native_fbank": "it is not installed"})}
    assert found["kaldi_native_fbank_1s"].error == "skipped: it is not installed"
    assert found["kaldi_native_fbank_1s"].ok and "of_kaldi_native_fbank_1s" not in found


def test_ours_that_is_not_there_is_a_failure():
    ours = {name for name, (package, _) in _mel.EXTRACTORS.items() if package == "minerva_native"}
    skipped = dict.fromkeys(ours, "minerva_native is not installed")
    found = {r.name: r for r in mel.results(1, {"scipy": 4.0}, skipped)}
    assert ours
    for name in ours:
        result = found[f"{name}_1s"]
        assert result.error == "not measured: minerva_native is not installed: make native"
        assert result.value is None and not result.ok
    assert not any(name.startswith("of_") for name in found)


def test_scipys_features_are_those_it_is_compared_with():
    native = pytest.importorskip("minerva_native", reason="minerva_native is not built: make native")
    sound = np.random.default_rng(1).standard_normal(16_000).astype(np.float32) / 10
    made = {name: _mel.EXTRACTORS[name][1] for name in ("scipy", "whisper80")}
    theirs = made["scipy"](scipy.fft, sound)()
    np.testing.assert_allclose(made["whisper80"](native, sound)(), theirs, atol=1e-4)
    scaled = _mel.EXTRACTORS["faster_whisper"][1](feature_extractor, sound)()
    np.testing.assert_allclose((np.maximum(theirs, theirs.max() - 8) + 4) / 4, scaled, atol=1e-4)
