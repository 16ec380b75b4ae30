"""`minerva owner` and `minerva identity`: what the hub then asks for, and is known by."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from minerva_hub.auth import Access
from minerva_hub.errors import WrongPasswordError
from minerva_hub.store import Store

Minerva = Callable[..., tuple[int, str, str]]


def proves(folder: Path, password: str) -> bool:
    async def prove() -> bool:
        store = await Store.open(folder)
        try:
            await Access.of(store).owner.prove(password, "127.0.0.1")
        except WrongPasswordError:
            return False
        finally:
            await store.close()
        return True

    return asyncio.run(prove())


def typed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))


def test_the_password_from_standard_input(
    minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "größere Pferde\n".encode())
    code, out, err = minerva("owner", "password", "--stdin")
    assert (code, out) == (0, "") and "is set" in err and "Pferde" not in err
    assert proves(tmp_path / "store", "größere Pferde")
    assert proves(tmp_path / "store", "gro\u0308ßere Pferde")  # as other keyboards compose it
    assert not proves(tmp_path / "store", "größere pferde")
    for path in (tmp_path / "store").iterdir():
        assert b"Pferde" not in path.read_bytes()


def test_the_password_asked_for_twice(
    minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["one password", "another one", "one password", "one password"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert "not the same" in minerva("owner", "password")[2]
    assert minerva("owner", "password")[0] == 0
    assert proves(tmp_path / "store", "one password")


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"short\n", "5 characters; allowed are 8 to 256"), (b"", "0 characters"), (b"x" * 257, "257"),
     (b"x" * 5000, "no password"), (b"\xff" * 10, "UTF-8"), (b"tab\tin it\n", "printable")],
)  # fmt: skip
def test_what_is_no_password(
    minerva: Minerva, monkeypatch: pytest.MonkeyPatch, text: bytes, words: str
) -> None:
    typed(monkeypatch, text)
    code, out, err = minerva("owner", "password", "--stdin")
    assert (code, out) == (1, "") and words in err


def test_without_a_terminal_it_says_how(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, b"")
    code, _, err = minerva("owner", "password")
    assert code == 1 and "--stdin" in err


def test_logins_are_listed_and_ended(
    minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nobody" in minerva("owner", "logins")[1]
    typed(monkeypatch, b"one password\n")
    minerva("owner", "password", "--stdin")

    async def log_in() -> None:
        store = await Store.open(tmp_path / "store")
        access = Access.of(store)
        hashed = await access.owner.prove("one password", "192.168.1.7")
        await access.sessions.begin(hashed, "192.168.1.7", "Phone\x1b[31m browser")
        await store.close()

    asyncio.run(log_in())
    listed = minerva("owner", "logins")[1]
    assert "192.168.1.7" in listed and "Phone[31m browser" in listed
    assert "1 login ended" in minerva("owner", "logout")[2]
    assert "Nobody" in minerva("owner", "logins")[1]


def fingerprints(shown: str) -> list[str]:
    return [line.rsplit(" ", 1)[1] for line in shown.splitlines() if "SHA-256" in line]


def test_an_identity_is_shown_renewed_and_rotated(minerva: Minerva) -> None:
    code, shown, _ = minerva("identity", "show", "--server-names", "hub.example.org")
    assert code == 0 and "hub.example.org" in shown and ".minerva" in shown
    authority, server = fingerprints(shown)
    pem = minerva("identity", "show", "--ca")[1]
    assert pem.startswith("-----BEGIN CERTIFICATE") and "PRIVATE" not in pem
    assert minerva("identity", "renew")[0] == 0
    renewed = fingerprints(minerva("identity", "show")[1])
    assert renewed[0] == authority and renewed[1] != server
    code, _, err = minerva("identity", "rotate")
    assert code == 1 and "paired again" in err and "--yes" in err
    assert fingerprints(minerva("identity", "show")[1]) == renewed
    code, _, err = minerva("identity", "rotate", "--yes")
    assert code == 0 and "pair every device again" in err
    rotated = minerva("identity", "show")[1]
    assert fingerprints(rotated)[0] != authority and "hub.example.org" in rotated
