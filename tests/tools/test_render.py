from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.errors import UserError
from minerva_tools.conversation import FULL_SCALE_PA, PASCAL_DB_SPL, load, load_demo, save
from minerva_tools.render import RenderError, render, speak
from minerva_tools.script import Line, Noise, ScriptError, parse_script, read_script

ROOT = Path(__file__).resolve().parents[2]
flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")

SCRIPT = """
# two rooms
[Hall]
A: Good morning.
B: Hello.
(noise on)
(pause 2)
A: It is loud here.
[Attic]
(meanwhile)
C: I hear you.
"""


def db_spl(sound: np.ndarray) -> float:
    pascal = sound / 32768 * FULL_SCALE_PA
    return float(20 * np.log10(np.sqrt(np.mean(pascal**2))) + PASCAL_DB_SPL)


def test_a_script_is_read() -> None:
    script = parse_script(SCRIPT)
    assert script.lines == (
        Line("Hall", "A", "Good morning."),
        Line("Hall", "B", "Hello."),
        Line("Hall", "A", "It is loud here.", pause_s=2.0),
        Line("Attic", "C", "I hear you.", meanwhile=True),
    )
    assert script.noise == (Noise("Hall", 2, True),)
    assert (script.speakers, script.rooms) == (("A", "B", "C"), ("Hall", "Attic"))


def test_a_script_without_rooms_or_names() -> None:
    script = parse_script("Hello.\nHow are you?\nC: I am in another room.\n")
    assert [(line.room, line.speaker) for line in script.lines] == [
        ("Kitchen", "A"),
        ("Kitchen", "B"),
        ("Study", "C"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nobody says anything"),
        ("# only this", "nobody says anything"),
        ("[]\nA: Hi.", "x:1: the room is empty"),
        (f"[{'r' * 41}]", "41 characters exceeds the limit of 40"),
        ("A: " + "a " * 600, "exceeds the limit of 1000"),
        ("(pause)", "needs a number of seconds"),
        ("(pause -1)", "0 to 600 s, not -1"),
        ("(noise loud)", "'on' or 'off', not 'loud'"),
        ("(applause)", "is not a heading or note"),
        ("A: ...", "nothing that can be spoken"),
        ("Hi.\n" * 2001, "x:2001: a script has at most 2000"),
    ],
)
def test_a_bad_script_says_where_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, name="x")
    assert message in str(caught.value)


def test_a_script_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"nothing\.txt: cannot be read"):
        read_script(tmp_path / "nothing.txt")
    (tmp_path / "bad.txt").write_bytes(b"A: \xff\xfe")
    with pytest.raises(ScriptError, match=r"is not UTF-8 text \(byte 3\)"):
        read_script(tmp_path / "bad.txt")


@flite
def test_a_rendering_has_the_levels_turns_and_noise_of_its_reference() -> None:
    made = render(parse_script(SCRIPT), ("rms", "slt", "awb"), seed=4)
    hall, attic = made.reference.rooms
    assert {len(sound) for sound in made.sound.values()} == {round(made.reference.duration_s * 16000)}
    assert [(t.speaker, t.voice) for t in hall.turns] == [("A", "rms"), ("B", "slt"), ("A", "rms")]
    assert hall.turns[2].start_s - hall.turns[1].end_s == pytest.approx(2.0, abs=0.1)
    assert attic.turns[0].start_s == pytest.approx(hall.turns[2].start_s, abs=0.1)

    def part(room: str, start_s: float, end_s: float) -> np.ndarray:
        return made.sound[room][int(start_s * 16000) : int(end_s * 16000)]

    assert 59 < db_spl(part("Hall", hall.turns[0].start_s, hall.turns[0].end_s)) < 66
    assert 35 < db_spl(part("Hall", 0, 1.3)) < 41
    (noise,) = hall.noise
    assert 44 < db_spl(part("Hall", noise[1] - 1.5, noise[1])) < 50
    assert 35 < db_spl(part("Attic", noise[1] - 1.0, noise[1])) < 41


@flite
def test_the_seed_alone_decides() -> None:
    script = parse_script("A: Hello.\nB: Good morning.")
    first, again, other = (render(script, ("rms", "awb"), seed) for seed in (1, 1, 2))
    assert first.reference == again.reference
    assert np.array_equal(first.sound["Kitchen"], again.sound["Kitchen"])
    assert first.reference != other.reference


@flite
def test_a_speaker_named_like_a_voice_keeps_it() -> None:
    made = render(parse_script("slt: Hello.\nX: Good morning."), ("slt", "kal16"))
    assert [t.voice for t in made.reference.rooms[0].turns] == ["slt", "kal16"]


def test_voices_that_are_unknown_or_too_few() -> None:
    script = parse_script("A: Hello.\nB: Good morning.")
    with pytest.raises(RenderError, match="no voice 'kal'; allowed are rms, awb, slt, kal16"):
        render(script, ("rms", "kal"))
    with pytest.raises(RenderError, match="speakers A, B but only the voices rms"):
        render(script, ("rms",))


def test_without_flite_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RenderError, match=r"apt install flite .*brew install flite"):
        speak("Hello", "rms")


def test_a_conversation_is_kept_without_loss(tmp_path: Path) -> None:
    demo = load_demo()
    save(demo, tmp_path)
    back = load(tmp_path)
    assert back.reference == demo.reference
    assert all(np.array_equal(back.sound[room], demo.sound[room]) for room in demo.sound)
    (tmp_path / "study.flac").write_bytes(b"fLaC")
    with pytest.raises(UserError, match="not a saved conversation"):
        load(tmp_path)
    with pytest.raises(UserError, match="not a saved conversation"):
        load(tmp_path / "none")


def test_the_bundled_conversation_is_what_it_should_be() -> None:
    demo = load_demo()
    assert 40 < demo.reference.duration_s < 60
    assert [(r.room, len({t.speaker for t in r.turns})) for r in demo.reference.rooms] == [
        ("Kitchen", 2),
        ("Study", 1),
    ]
    assert demo.reference.rooms[0].noise
    folder = ROOT / "tools" / "minerva_tools" / "data" / "demo"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000


@flite
def test_the_bundled_conversation_is_as_its_script_renders_it() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "make_demo_audio.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "demo: as rendered\n"), done.stderr


@flite
def test_the_command_writes_files_and_refuses_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("A: Hello.")
    command = [sys.executable, "-m", "minerva_tools.render", "--script", str(tmp_path / "s.txt")]
    command += ["--out", str(tmp_path / "out")]
    subprocess.run(command, check=True)
    assert load(tmp_path / "out").reference.rooms[0].turns[0].text == "Hello."
    refused = subprocess.run([*command, "--voices", "nobody"], capture_output=True, text=True)
    assert refused.returncode == 2 and "no voice 'nobody'" in refused.stderr
