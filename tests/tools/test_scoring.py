from __future__ import annotations

import pytest
from minerva_tools.conversation import Reference, RoomReference, Turn
from minerva_tools.scoring import Rate, Spoken, der, normalised, score, wer


def turn(speaker: str, start_s: float, end_s: float, text: str) -> Turn:
    return Turn(
        speaker=speaker, voice="rms", start_s=start_s, end_s=end_s, text=text, speech=((start_s, end_s),)
    )


REFERENCE = Reference(
    duration_s=10,
    seed=0,
    rooms=(
        RoomReference(
            room="Kitchen", turns=(turn("A", 0, 4, "Good morning."), turn("B", 5, 9, "It's ten o'clock!"))
        ),
        RoomReference(room="Study", turns=(turn("C", 2, 4, "Hello there"),)),
    ),
)


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert normalised("It\u2019s ten-thirty, 'Bob'! 4 o'clock…") == "it's ten thirty bob 4 o'clock"
    assert wer(["Good morning.", "How are you?"], ["good", "morning how are you"]) == Rate(0, 5)


def test_word_errors_are_counted_over_the_reference() -> None:
    assert wer(["one two three four"], ["one too three four five"]) == Rate(2, 4)
    assert wer(["one two"], []) == Rate(2, 2)
    assert wer([], ["one two"]) == Rate(2, 0)
    assert Rate(2, 0).value == 1.0 and Rate(0, 0).value == 0.0


def test_speaker_errors_are_seconds_beyond_the_collar() -> None:
    truth = [(0.0, 4.0, "A"), (5.0, 9.0, "B")]
    same = [(0.1, 4.1, "x"), (4.9, 9.1, "y")]
    assert der(truth, same).errors == 0
    missed = der(truth, [(0.0, 4.0, "x")])
    assert missed.errors == pytest.approx(4 - 0.25)
    assert missed.total == pytest.approx(8 - 0.5)
    assert der(truth, [(0.0, 9.0, "x")]).errors == pytest.approx(3.75 + 0.75)  # confused, and a false alarm


def test_overlapped_speech_counts() -> None:
    truth = [(0.0, 4.0, "A"), (2.0, 4.0, "B")]
    assert der(truth, [(0.0, 4.0, "x")]).errors == pytest.approx(2.0 - 0.25)


def test_a_perfect_conversation_scores_zero() -> None:
    spoken = [
        Spoken(r.room, f"Speaker {t.speaker}", t.start_s, t.end_s, t.text)
        for r in REFERENCE.rooms
        for t in reversed(r.turns)
    ]
    result = score(REFERENCE, spoken)
    assert (result.wer, result.der, result.speakers_right) == (0, 0, True)


def test_rooms_are_pooled_and_speakers_counted() -> None:
    spoken = [
        Spoken("Kitchen", "Speaker A", 0, 4, "good morning"),
        Spoken("Kitchen", "Speaker A", 5, 9, "it's ten o'clock"),
        Spoken("Attic", "Speaker A", 1, 2, "boo"),
    ]
    result = score(REFERENCE, spoken)
    assert result.wer == pytest.approx((2 + 1) / 7)
    assert result.der == pytest.approx((3.75 + 1.75 + 1) / 9.25)
    assert result.rooms["Kitchen"].speakers == 1 and result.rooms["Kitchen"].expected == 2
    assert not result.speakers_right
