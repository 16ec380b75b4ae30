"""`minerva release`, from making keys to what a device would say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import subprocess
from pathlib import Path

import click
import minerva
import pytest
import typer
from minerva import keyset, manifest
from minerva_hub.errors import UserError
from minerva_hub.releases import verify
from minerva_tools import cli
from minerva_tools.release import files, keys, schema, signing
from minerva_tools.release.building import Description, build
from minerva_tools.release.files import Content
from minerva_tools.release.texts import Release, Rotation
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder, find_micropython
from typer.testing import CliRunner

PASSPHRASE = "correct horse battery"
CREATED = 1_790_000_000


def run(*arguments: object, code: int = 0) -> tuple[str, str]:
    """(standard output, standard error) of `minerva release …` in the working directory."""
    done = CliRunner().invoke(cli.app, ["release", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit | UserError), done.exception
    said = f"{done.stderr}{done.exception or ''}"
    assert done.exit_code == code, done.stdout + said
    return done.stdout, said


@pytest.fixture
def people(tmp_path: Path) -> dict[str, str]:
    """Anna, Ben and Cleo have keys in the folder; their ids by name."""
    (tmp_path / "pass").write_text(PASSPHRASE + "\n")
    ids = {}
    for name in ("anna", "ben", "cleo"):
        public = keys.generate(tmp_path / f"{name}.pem", PASSPHRASE)
        ids[name] = keyset.key_id(keys.load_public(public))
    return ids


def description(**changes: object) -> Description:
    values = {
        "version": "1.2.3",
        "security_version": 4,
        "kind": "application",
        "variant": "micropython",
        "boards": ("virtual",),
        "created": CREATED,
        "expires": CREATED + 1000,
        "keys": ("0" * 16,),
    }
    return Description(**(values | changes))  # type: ignore[arg-type]


def test_from_keys_to_a_release_that_a_device_takes(
    tmp_path: Path, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def sign(what: str, who: str, *more: object) -> str:
        return run("sign", what, "--key", f"{who}.pem", "--passphrase-file", "pass", *more)[1]

    made = run("keygen", "dora.pem", "--passphrase-file", "pass")[0].strip()
    assert made == keyset.key_id(keys.load_public(tmp_path / "dora.pub"))
    run("keyset", "new", "anna.pub", "ben.pub", "cleo.pub", "--threshold", 2)
    said, _ = run("keyset", "show", "keys.json")
    assert "2 of 3" in said and all(id_ in said for id_ in people.values())

    options = ("--keyset", "keys.json", "--security-version", 4, "--created", CREATED, "--days", 3650)
    run("build", "r", *options, "--board", "devkitc1_inmp441")
    device = ("--board", "devkitc1_inmp441", "--at", CREATED + 5)
    checks = ("verify", "r", "--keyset", "keys.json")
    assert "too_few_signatures" in run(*checks, code=1)[1]
    assert "Not enough yet" in sign("r", "anna", "--keyset", "keys.json")
    sign("r", "anna")  # again: it counts once
    assert "too_few_signatures" in run(*checks, code=1)[1]
    assert "Enough" in sign("r", "cleo", "--keyset", "keys.json")
    assert f"minerva {minerva.__version__} is good" in run(*checks, *device)[0]
    for more, code in (
        (("--board", "xiao_s3_inmp441"), "wrong_board"),
        ((*device, "--variant", "rust"), "wrong_variant"),
        ((*device, "--abi", "mpy6.3-x64"), "wrong_abi"),
        ((*device, "--security-version", 5), "lower_security_version"),
        ((*device[:2], "--at", CREATED + 3650 * 86400), "expired"),
    ):
        assert code in run(*checks, *more, code=1)[1]
    run(*checks, *device[:2], "--no-clock")
    bundle = tmp_path / "r" / "files.bin"
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"?")
    assert "bad_hash" in run(*checks, code=1)[1]

    # Ben left: a rotation that old and new keys sign, and a release that carries it.
    new = (
        "anna.pub",
        "cleo.pub",
        "dora.pub",
        "--threshold",
        2,
        "--out",
        "keys-2.json",
        "--rotation",
        "to-2.json",
    )
    run("keyset", "rotate", "keys.json", *new)
    assert "Not enough" in sign("to-2.json", "dora", "--keyset", "keys.json")
    assert "Not enough" in sign("to-2.json", "anna", "--keyset", "keys.json")
    assert "Enough" in sign("to-2.json", "cleo", "--keyset", "keys.json")
    second = ("--keyset", "keys-2.json", *options[2:], "--rotation", "to-2.json", "--source")
    run("build", "s", *second)
    sign("s", "dora")
    sign("s", "anna")
    said, _ = run("verify", "s", "--keyset", "keys.json", *device)
    assert "the key set in force afterwards is 2" in said
    assert "no rotation" in run("build", "t", *second[:-3], "--rotation", "s/manifest.sig", code=1)[1]
    assert "another key set" in run("build", "t", "--keyset", "keys.json", *second[2:], code=1)[1]
    assert not (tmp_path / "t").exists()


def test_a_private_key_is_encrypted_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "anna.pem"
    keys.generate(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    said = path.read_text().splitlines()
    assert said[0] == "-----BEGIN OPENSSH PRIVATE KEY-----"
    # openssh-key-v1: the cipher, then how the passphrase becomes a key, with 16 bytes of salt and the rounds.
    inside = base64.b64decode("".join(said[1:-1]))
    assert inside[:39] == b"openssh-key-v1\0\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt"
    assert inside[39:47] == b"\0\0\0\x18\0\0\0\x10"
    assert int.from_bytes(inside[63:67]) == keys.KDF_ROUNDS >= 64
    before = path.read_bytes()
    for taken in (path, tmp_path / "anna.pub"):
        with pytest.raises(UserError, match="exists already"):
            keys.generate(taken, PASSPHRASE)
    (tmp_path / "anna.pub").unlink()
    with pytest.raises(UserError, match="not written over"):
        keys.generate(path, PASSPHRASE)
    assert path.read_bytes() == before
    assert keys.load(path, PASSPHRASE)
    with pytest.raises(UserError, match="passphrase"):
        keys.load(path, PASSPHRASE + "!")
    with pytest.raises(UserError, match="at least 8"):
        keys.generate(tmp_path / "short.pem", "1234567")
    assert not (tmp_path / "short.pem").exists()


def test_who_is_not_named_cannot_sign(tmp_path: Path, people: dict[str, str]) -> None:
    release, _ = build(tmp_path / "r", description(keys=(people["anna"],)), Content("source", {"a.py": b"1"}))
    with pytest.raises(UserError, match=people["anna"]):
        signing.sign_release(release, keys.load(tmp_path / "ben.pem", PASSPHRASE))


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        content = files.application(device_folder(), ["virtual"], "xtensawin")
        release, _ = build(tmp_path / name, description(), content)
        made.append([p.read_bytes() for p in (release.manifest, release.signature, release.bundle)])
    assert made[0] == made[1]
    with pytest.raises(UserError, match="cannot be made"):
        build(tmp_path / "one", description(), content)


def test_the_application_has_all_that_a_slot_needs_and_nothing_else() -> None:
    found = files.sources(device_folder(), ["virtual", "xiao_s3_inmp441"])
    names = set(found)
    assert {"minerva/app.py", "minerva/hw/mic.py", "boards/__init__.py", "boards/virtual.py"} <= names
    assert all(re.fullmatch(r"(minerva|boards)/[a-z0-9_/]+\.py", n) and manifest.is_path(n) for n in names)
    assert not {n for n in names if "virtual_hw" in n or "cpython" in n or "settings.json" in n}
    assert list(found) == sorted(found)
    with pytest.raises(UserError, match="devkitc1_inmp441"):
        files.sources(device_folder(), ["unheard_of"])
    compiled = files.application(device_folder(), ["virtual"], "xtensawin")
    assert re.fullmatch(r"mpy6\.\d-xtensawin", compiled.abi)
    assert set(compiled.files) == {n[:-2] + "mpy" for n in files.sources(device_folder(), ["virtual"])}
    assert all(data[:2] == b"M\x06" for data in compiled.files.values())


@pytest.mark.mpy
@pytest.mark.parametrize(("arch", "march"), [("native", "x64"), ("i386", "x86")])
def test_a_compiled_application_runs(tmp_path: Path, arch: str, march: str) -> None:
    if find_micropython(arch) is None:
        pytest.skip(f"no MicroPython for {arch} here: scripts/get-micropython.sh {arch}")
    interpreter: Interpreter = choose_interpreter("micropython", arch=arch)
    content = files.application(device_folder(), ["virtual"], march)
    for path, data in content.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    say = (
        "import sys; from minerva import keyset, codec, manifest; impl = sys.implementation._mpy;"
        "print('mpy%d.%d' % (impl & 255, impl >> 8 & 3), keyset.__file__, hasattr(manifest, 'parse'))"
    )
    done = subprocess.run(
        [*interpreter.command, "-c", say],
        env=interpreter.environment([tmp_path]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    version, file, parses = done.stdout.split()
    assert content.abi == f"{version}-{march}" and file.endswith("keyset.mpy") and parses == "True"


def image(chip: int, size: int = 5000) -> bytes:
    head = bytearray(24)
    head[0], head[12] = 0xE9, chip
    return bytes(head).ljust(size, b"\xa5")


def test_an_image_says_its_chip(tmp_path: Path) -> None:
    path = tmp_path / "firmware.bin"
    path.write_bytes(image(9))
    content = files.image(path, None)
    assert content.abi == "esp32s3" and list(content.files) == ["firmware.bin"]
    _, made = build(tmp_path / "r", description(kind="image", variant="rust"), content)
    assert made.files == [("firmware.bin", 5000, hashlib.sha256(image(9)).digest())]
    for data, chip, why in (
        (image(13), "esp32s3", "esp32c6"),
        (image(200), None, "unknown chip"),
        (b"\x7fELF" + bytes(100), None, "--chip"),
        (b"MZ" + bytes(100), None, "E9"),
        (b"\xe9", None, "E9"),
    ):
        path.write_bytes(data)
        with pytest.raises(UserError, match=why):
            files.image(path, chip)
    path.write_bytes(image(9, (16 << 20) + 1))
    with pytest.raises(UserError, match="bad_size"):
        build(tmp_path / "large", description(kind="image", variant="rust"), files.image(path, None))
    assert not (tmp_path / "large").exists()


def test_a_rotation_needs_old_and_new(tmp_path: Path, people: dict[str, str]) -> None:
    anna, ben, cleo = (keys.load(tmp_path / f"{n}.pem", PASSPHRASE) for n in people)
    public = [keys.load_public(tmp_path / f"{n}.pub") for n in people]
    old = keyset.parse(keys.keyset_text(1, 2, public[:2]))
    path = tmp_path / "to-2.json"
    path.write_bytes(signing.rotation_file(Rotation(keys.keyset_text(2, 2, public[1:]), ())))
    for key, missing in ((anna, "too_few"), (cleo, "too_few"), (ben, None)):
        signing.sign_rotation(path, key)
        said = signing.rotation_state(old, signing.load_rotation(path))
        assert said is None if missing is None else missing in str(said)
    rotation = signing.load_rotation(path)
    assert keyset.rotate(old, [rotation], verify).version == 2
    assert "as new" in str(signing.rotation_state(keyset.parse(rotation.keyset), rotation))


@pytest.mark.parametrize("threshold", [0, 3])
def test_a_key_set_must_be_one(tmp_path: Path, people: dict[str, str], threshold: int) -> None:
    public = [keys.load_public(tmp_path / f"{n}.pub") for n in ("anna", "ben")]
    with pytest.raises(UserError, match="threshold"):
        keys.keyset_text(1, threshold, public)


def test_files_that_are_no_keys_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pub"
    for data in (b"", b"zz", b"ab" * 31, b"\xff"):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"x\.pub"):
            keys.load_public(path)
    with pytest.raises(UserError, match="no key set"):
        keys.load_keyset(path)
    with pytest.raises(UserError, match="cannot be read"):
        keys.load(tmp_path / "missing.pem", PASSPHRASE)


def test_the_schemas_are_what_is_made_and_take_the_good_vectors() -> None:
    for path, text in schema.files().items():
        assert path.read_text() == text, f"{path.name} is stale: python -m minerva_tools.release.schema"
    vectors = Path(__file__).parents[1] / "vectors" / "ota.json"
    made = schema.schemas()["manifest.schema.json"]
    good = [
        json.loads(v["manifest"]) for v in json.loads(vectors.read_text())["manifests"] if v["result"] == "ok"
    ]
    for one in good:
        assert list(one) == made["required"]


def test_release_folder_names_its_three_artifacts(tmp_path: Path) -> None:
    release = Release(tmp_path)
    assert [p.name for p in (release.manifest, release.signature, release.bundle)] == [
        "manifest.json",
        "manifest.sig",
        "files.bin",
    ]


def documented() -> list[list[str]]:
    text = (Path(__file__).parents[2] / "docs" / "ota.md").read_text()
    return [
        shlex.split(line, comments=True)
        for line in re.findall(r"^ *minerva (release .*)$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("words", documented(), ids=lambda words: " ".join(words)[:60])
def test_the_commands_of_the_documentation_are_taken(words: list[str]) -> None:
    command: click.Command = typer.main.get_command(cli.app)
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    with command.make_context("x", words) as context:
        assert context.params


def test_the_documentation_shows_the_whole_way() -> None:
    shown = {" ".join(words[1:3]) if words[1] == "keyset" else words[1] for words in documented()}
    assert shown >= {"keygen", "keyset new", "keyset rotate", "build", "sign", "verify", "trust", "publish"}
