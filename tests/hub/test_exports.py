"""Exports: read back by small parsers of each format, with the texts and times that went in."""

from __future__ import annotations

import html
import re
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.events import Session, Utterance, Word
from minerva_hub.exports import CUE_CHARS, FORMATS, LINE_CHARS, Cue, cues, export

START = 1_795_000_000_000
SESSION = Session(id=1, device="kitchen", room="Küche & Bar", start_ms=START, end_ms=START + 9_000_000)
LONG = (
    "when the sun shines on raindrops in the air they act as a prism and form a rainbow which is "
    "a division of white light into many beautiful colours that take the shape of a long round arch"
)


def said(
    text: str, start_ms: int = 0, end_ms: int = 2_000, speaker: str = "Speaker A", id_: int = 1
) -> Utterance:
    tokens = text.split()
    step = (end_ms - start_ms) // max(1, len(tokens))
    words = tuple(
        Word(text=token, start_ms=START + start_ms + n * step, end_ms=START + start_ms + (n + 1) * step)
        for n, token in enumerate(tokens)
    )
    return Utterance(
        id=id_,
        session_id=1,
        device="kitchen",
        room="Küche & Bar",
        speaker=speaker,
        start_ms=START + start_ms,
        end_ms=START + end_ms,
        text=text,
        words=words,
    )


def clock_ms(text: str) -> int:
    match = re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})", text)
    assert match, text
    hours, minutes, seconds, ms = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def parse_srt(body: str) -> list[Cue]:
    found = []
    for number, block in enumerate(filter(None, body.rstrip("\n").split("\n\n")), 1):
        head, span, *lines = block.split("\n")
        assert head == str(number) and lines
        assert "." not in span
        start, end = span.split(" --> ")
        speaker, _, text = " ".join(lines).partition(": ")
        found.append(Cue(clock_ms(start), clock_ms(end), speaker, text))
    return found


def parse_vtt(body: str) -> list[Cue]:
    head, *blocks = body.rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    found = []
    for block in blocks:
        span, *lines = block.split("\n")
        assert "," not in span
        start, end = span.split(" --> ")
        match = re.fullmatch(r"<v ([^<>]*)>([^<>]*)", " ".join(lines))
        assert match and not re.search(r"&(?!amp;|lt;|gt;)", match.group(0))
        found.append(Cue(clock_ms(start), clock_ms(end), *map(html.unescape, match.groups())))
    return found


def test_srt_whole() -> None:
    done = export(SESSION, [said("good morning", 3_723_004, 3_724_000)], "srt")
    assert done.body == "1\n01:02:03,004 --> 01:02:04,000\nSpeaker A: good morning\n"
    assert done.filename == "minerva-20261118-1106-kuche-bar.srt"


def test_vtt_whole() -> None:
    done = export(SESSION, [said("a < b & c --> d", 0, 700, speaker="Ann <b>")], "vtt")
    assert done.content_type == "text/vtt; charset=utf-8"
    assert done.body == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.700\n<v Ann &lt;b&gt;>a &lt; b &amp; c --&gt; d\n"
    )


def test_txt_is_in_order_of_time_with_the_room_and_day() -> None:
    body = export(SESSION, [said("two\n\nlines", 5_000, 6_000, "Ann"), said("one", 1_000)], "txt").body
    assert body == (
        "Küche & Bar, 2026-11-18 11:06 UTC\n\n[00:00:01] Speaker A: one\n[00:00:05] Ann: two lines\n"
    )


def test_rttm_whole() -> None:
    body = export(SESSION, [said("one", 1_250, 3_000), said("two", 3_000, 3_500, "Ann Lee", 2)], "rttm").body
    assert body.splitlines() == [
        "SPEAKER minerva-20261118-1106-kuche-bar 1 1.250 1.750 <NA> <NA> Speaker_A <NA> <NA>",
        "SPEAKER minerva-20261118-1106-kuche-bar 1 3.000 0.500 <NA> <NA> Ann_Lee <NA> <NA>",
    ]


def test_json_holds_the_records() -> None:
    class Document(msgspec.Struct, forbid_unknown_fields=True):
        session: Session
        utterances: list[Utterance]

    done = export(SESSION, [said("Grüße")], "json")
    assert msgspec.json.decode(done.body, type=Document) == Document(SESSION, [said("Grüße")])
    assert "Grüße" in done.body


@pytest.mark.parametrize("parse", [parse_srt, parse_vtt])
def test_a_long_utterance_is_split_between_words_at_their_times(parse: object) -> None:
    fmt = "srt" if parse is parse_srt else "vtt"
    body = export(SESSION, [said(LONG, 10_000, 24_000)], fmt).body
    found = parse(body)  # type: ignore[operator]
    assert " ".join(cue.text for cue in found) == LONG
    assert len(found) == 3 and found[0].start_ms == 10_000
    step = 14_000 // len(LONG.split())
    spoken = 0
    for cue in found:
        assert cue.start_ms == 10_000 + spoken * step
        spoken += len(cue.text.split())
        assert cue.end_ms == 10_000 + spoken * step
        assert len(cue.text) > 30
    text_lines = [line for line in body.splitlines() if "-->" not in line]
    assert max(len(re.sub("<.*?>", "", line)) for line in text_lines) <= LINE_CHARS


def test_words_that_do_not_match_the_text_are_spread_over_it() -> None:
    utterance = msgspec.structs.replace(said(LONG, 0, 10_000), words=())
    found = cues(SESSION, [utterance])
    assert " ".join(cue.text for cue in found) == LONG
    assert (found[0].start_ms, found[-1].end_ms) == (0, 10_000)
    assert all(a.end_ms == b.start_ms for a, b in pairwise(found))


def test_a_script_without_spaces_is_cut() -> None:
    utterance = msgspec.structs.replace(said("語" * 300, 0, 10_000), words=())
    found = cues(SESSION, [utterance])
    assert len(found) >= 4 and all(len(cue.text) <= CUE_CHARS for cue in found)
    assert "".join(cue.text for cue in found).replace(" ", "") == "語" * 300


def test_speech_from_before_the_session_begins_at_its_start() -> None:
    assert cues(SESSION, [said("early", -400, 600)]) == [Cue(0, 600, "Speaker A", "early")]
    assert " 0.000 0.600 " in export(SESSION, [said("early", -400, 600)], "rttm").body


def test_days_are_hours() -> None:
    assert "100:00:00,000 --> " in export(SESSION, [said("late", 360_000_000, 360_001_000)], "srt").body


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_empty_session_is_a_valid_file(fmt: str) -> None:
    done = export(SESSION, [], fmt)  # type: ignore[arg-type]
    assert done.filename.endswith(f".{fmt}")
    assert parse_vtt(done.body) == [] if fmt == "vtt" else True
    assert done.body == "" if fmt in ("srt", "rttm") else done.body


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="'doc' is not one of txt, srt, vtt, json, rttm"):
        export(SESSION, [], "doc")  # type: ignore[arg-type]


def test_a_file_gives_its_name_instead_of_place_and_date() -> None:
    assert export(SESSION, [], "txt", name="Talk 3").body == "Talk 3\n\n"
    done = export(SESSION, [said("one")], "rttm", name="Talk 3")
    assert done.filename == "talk-3.rttm" and done.body.startswith("SPEAKER talk-3 1 0.000 2.000 ")


@given(st.lists(st.tuples(st.text(max_size=150), st.text(max_size=20)), max_size=6))
def test_any_text_survives_both_subtitle_formats(lines: list[tuple[str, str]]) -> None:
    utterances = [said(text, 3_000 * n, 3_000 * n + 2_500, who, n) for n, (text, who) in enumerate(lines)]
    wanted = "".join("".join(text.split()) for text, _ in lines)
    for fmt, parse in (("vtt", parse_vtt), ("srt", parse_srt)):
        body = export(SESSION, utterances, fmt).body  # type: ignore[arg-type]
        if fmt == "vtt":
            assert "".join("".join(cue.text.split()) for cue in parse(body)) == wanted
        assert len(parse(body)) == len(cues(SESSION, utterances))
