"""What recognisers invent is told from speech; the rules are tables, so are these."""

from __future__ import annotations

import numpy as np
import pytest
from minerva_hub.transcribe.hallucinations import Evidence, is_filler, is_speech, peak_db, without_loops

SURE = {"no_speech": 0.05, "log_probability": -0.3, "compression": 1.2, "peak_db": -30.0}


@pytest.mark.parametrize(
    ("text", "evidence", "believed"),
    [
        ("We need milk.", {}, True),
        ("  ", {}, False),
        ("We need milk.", {"compression": 2.5}, False),
        ("We need milk.", {"no_speech": 0.7, "log_probability": -1.2}, False),
        ("We need milk.", {"no_speech": 0.7}, True),
        ("We need milk.", {"log_probability": -1.2}, True),
        ("We need milk.", {"peak_db": -58.0, "no_speech": 0.5}, True),
        ("Thank you.", {}, True),  # people say it
        ("Thank you.", {"peak_db": -58.0}, True),  # the model is sure
        ("Thank you.", {"no_speech": 0.5, "log_probability": -0.8}, True),  # it was loud
        ("Thank you.", {"peak_db": -58.0, "no_speech": 0.5}, False),
        ("Thank you.", {"peak_db": -58.0, "log_probability": -0.8}, False),
        ("Thank you, Anna.", {"peak_db": -58.0, "no_speech": 0.5}, True),
    ],
)
def test_a_piece_is_believed_or_not(text: str, evidence: dict[str, float], believed: bool) -> None:
    assert is_speech(text, Evidence(**(SURE | evidence))) is believed


@pytest.mark.parametrize(
    ("text", "filler"),
    [
        ("Thanks for watching!", True),
        (" THANK YOU. ", True),
        ("Sous-titres réalisés par la communauté d'Amara.org", True),
        ("Thanks for the milk", False),
        ("", False),
    ],
)
def test_fillers_are_known_whatever_their_marks(text: str, filler: bool) -> None:
    assert is_filler(text) is filler


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("no no no no no", "no no no no no"),
        ("no no no no no no", "no"),
        ("well No, no. NO no no no then", "well No, then"),
        ("i know i know i know", "i know i know i know"),
        ("and i know i know i know i know so", "and i know so"),
        ("go to the shop " * 3, "go to the shop " * 3),
        ("go to the shop " * 4, "go to the shop"),
        ("a b c d e f g h " * 4 + "i", "a b c d e f g h i"),
        ("a b a c a b a c", "a b a c a b a c"),
    ],
)
def test_words_in_a_loop_are_kept_once(text: str, kept: str) -> None:
    words = text.split()
    assert [words[i] for i in without_loops(words)] == kept.split()


def test_the_level_is_that_of_the_loudest_moment() -> None:
    pcm = np.zeros(16_000, np.int16)
    assert peak_db(pcm) == -120 and peak_db(pcm[:0]) == -120
    pcm[3200:4800] = 328
    assert peak_db(pcm) == pytest.approx(-40, abs=0.1)
    assert peak_db(pcm[3200:3300]) == pytest.approx(-40, abs=0.1)
