"""What the hub takes from those who publish, with a real database and a real disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minerva import keyset
from minerva_hub.errors import ConflictError, StoreFullError
from minerva_hub.releases import MAX_UPLOADS, ReleaseRefusedError, Releases
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.store import Store

from tests.vectors.ota_sections import _release as made

FILES = {
    "minerva/app.py": b"print('app')\n" * 50,
    "minerva/empty.py": b"",
    "boards/virtual.py": b"PINS = 1\n",
}
BUNDLE = b"".join(FILES.values())
NOW = made.NOW


def content(**changes: object) -> str:
    files = [[path, len(data), hashlib.sha256(data).hexdigest()] for path, data in FILES.items()]
    return made.compact(made.manifest((made.ANNA, made.BEN), files=files, **changes))


def signed(text: str, *signers: made.Signer, rotations: tuple[dict, ...] = ()) -> tuple[bytes, bytes]:
    sig = made.signature_text([s.sign(text) for s in signers or (made.ANNA,)], *rotations)
    return text.encode(), sig.encode()


async def pieces(data: bytes = BUNDLE, size: int = 100) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store")
    yield opened
    await opened.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made_shelf = Shelf(tmp_path / "releases")
    made_shelf.open()
    return made_shelf


@pytest.fixture
async def releases(store: Store, shelf: Shelf) -> Releases:
    subject = Releases(store.updates, shelf, clock=lambda: NOW)
    await subject.trust(made.keyset_text(1, 1, made.ANNA, made.BEN).encode())
    return subject


def on_shelf(shelf: Shelf) -> list[str]:
    return sorted(p.name for p in shelf.path("", "").iterdir())


async def refusal(releases: Releases, *parts: bytes, data: bytes = BUNDLE) -> str:
    with pytest.raises(ReleaseRefusedError) as caught:
        await releases.receive(*parts, pieces(data), who="127.0.0.1")
    return caught.value.code


async def test_a_signed_release_is_kept_as_it_came(releases: Releases, store: Store, shelf: Shelf) -> None:
    text, sig = signed(content())
    kept = await releases.receive(text, sig, pieces(), who="127.0.0.1")
    assert [kept] == await store.updates.releases()
    assert kept.digest == hashlib.sha256(text).hexdigest()
    assert (kept.files, kept.size, kept.signers) == (3, len(BUNDLE), (made.ANNA.id,))
    for artifact, data in zip(kept.artifacts, (text, sig, BUNDLE), strict=True):
        path = shelf.path(kept.digest, artifact.filename)
        assert path.read_bytes() == data and artifact.size == len(data)
        for name in ("sha1", "md5", "sha256"):
            assert getattr(artifact, name) == hashlib.new(name, data).hexdigest()
    assert await store.updates.refused() == []


@pytest.mark.parametrize("size", [1, 7, 649, 650, 651, 10_000])
async def test_pieces_may_end_anywhere(releases: Releases, size: int) -> None:
    text, sig = signed(content())
    await releases.receive(text, sig, pieces(size=size), who="x")


async def test_what_is_refused_is_noted_and_leaves_nothing(
    releases: Releases, store: Store, shelf: Shelf
) -> None:
    good = signed(content())
    text = content()
    swapped = BUNDLE[:-1] + b"?"
    assert await refusal(releases, *good, data=swapped) == "bad_hash"
    assert await refusal(releases, *good, data=b"?" + BUNDLE[1:]) == "bad_hash"
    assert await refusal(releases, *good, data=BUNDLE[:-1]) == "bad_size"
    assert await refusal(releases, *good, data=BUNDLE + b"x") == "bad_size"
    assert await refusal(releases, *good, data=b"") == "bad_size"
    assert await refusal(releases, *signed(text, made.DORA)) == "unknown_key"
    assert await refusal(releases, text.encode() + b" ", good[1]) == "bad_signature"
    assert await refusal(releases, *signed("{}")) == "bad_manifest"
    assert await refusal(releases, *signed(content(expires=NOW))) == "expired"
    assert await refusal(releases, good[0], b"x" * 16385) == "too_long"
    noted = await store.updates.refused()
    assert [r.code for r in noted][:2] == ["too_long", "expired"] and len(noted) == 10
    assert (noted[0].name, noted[0].version, noted[0].at_ms) == ("minerva", "0.2.0", NOW * 1000)
    assert "127.0.0.1" in noted[0].message and noted[2].name == ""
    assert on_shelf(shelf) == [] and await store.updates.releases() == []


async def test_a_last_empty_file_is_checked_too(releases: Releases) -> None:
    files = [["a.py", 1, hashlib.sha256(b"a").hexdigest()], ["b.py", 0, "ab" * 32]]
    text = made.compact(made.manifest(files=files))
    assert await refusal(releases, *signed(text), data=b"a") == "bad_hash"


async def test_a_version_means_one_thing(releases: Releases, shelf: Shelf) -> None:
    text, sig = signed(content())
    await releases.receive(text, sig, pieces(), who="x")
    with pytest.raises(ConflictError, match="here already"):
        await releases.receive(text, sig, pieces(), who="x")
    with pytest.raises(ConflictError, match="other content"):
        await releases.receive(*signed(content(security_version=4)), pieces(), who="x")
    await releases.receive(*signed(content(boards=["virtual"])), pieces(), who="x")
    await releases.receive(*signed(content(abi="source")), pieces(), who="x")
    assert len(on_shelf(shelf)) == 3


async def test_without_trusted_keys_nothing_is_taken(store: Store, shelf: Shelf) -> None:
    releases = Releases(store.updates, shelf, clock=lambda: NOW)
    assert await releases.trusted() is None
    assert await refusal(releases, *signed(content())) == "unknown_key"


async def test_trust_is_given_once_and_replaced_on_purpose(releases: Releases) -> None:
    first = await releases.trusted()
    assert first is not None and first.keys == (made.ANNA.id, made.BEN.id)
    assert await releases.trust(first.text.encode()) == first
    other = made.keyset_text(1, 1, made.DORA).encode()
    with pytest.raises(ConflictError, match="--replace"):
        await releases.trust(other)
    with pytest.raises(ReleaseRefusedError):
        await releases.trust(b"{}")
    now = await releases.trust(other, replace=True)
    assert now.keys == (made.DORA.id,) and await releases.trusted() == now


async def test_a_rotation_comes_with_a_release_that_is_kept(releases: Releases) -> None:
    two = made.keyset_text(2, 1, made.CLEO)
    step = made.rotation(two, made.ANNA, made.CLEO)
    text = made.compact(json.loads(content()) | {"keys": [made.CLEO.id]})
    parts = signed(text, made.CLEO, rotations=(step,))
    assert await refusal(releases, *parts, data=BUNDLE[:-1]) == "bad_size"
    before = await releases.trusted()
    assert before is not None and before.version == 1  # a release that is refused changes nothing
    await releases.receive(*parts, pieces(), who="x")
    now = await releases.trusted()
    assert now is not None and (now.version, now.text) == (2, two)
    assert await refusal(releases, *signed(content(version="0.3.0"))) == "unknown_key"


async def test_a_release_and_its_rotation_are_kept_together_or_not_at_all(
    releases: Releases, store: Store, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = made.keyset_text(2, 1, made.CLEO)
    text = made.compact(json.loads(content()) | {"keys": [made.CLEO.id]})
    parts = signed(text, made.CLEO, rotations=(made.rotation(two, made.ANNA, made.CLEO),))
    with monkeypatch.context() as broken:
        broken.setattr("minerva_hub.store.releases.set_key_set", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await releases.receive(*parts, pieces(), who="x")
    before = await releases.trusted()
    assert before is not None and before.version == 1 and await store.updates.releases() == []
    await releases.receive(*parts, pieces(), who="x")  # and so it can be published again
    now = await releases.trusted()
    assert now is not None and now.version == 2


def test_the_folder_of_releases_is_its_owners_alone(shelf: Shelf) -> None:
    folder = shelf.path("", "")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert shelf.incoming().stat().st_mode & 0o777 == 0o700


async def test_an_upload_that_breaks_off_leaves_nothing(releases: Releases, shelf: Shelf) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield BUNDLE[:200]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await releases.receive(*signed(content()), breaking(), who="x")
    assert on_shelf(shelf) == []


async def test_what_a_crash_left_without_a_row_is_replaced(releases: Releases, shelf: Shelf) -> None:
    text, sig = signed(content())
    left = shelf.incoming()
    (left / "manifest.sig").write_bytes(b"another")
    shelf.keep(left, hashlib.sha256(text).hexdigest())
    kept = await releases.receive(text, sig, pieces(), who="x")
    assert shelf.path(kept.digest, "manifest.sig").read_bytes() == sig


async def test_a_full_disk_is_told_and_is_no_refusal(releases: Releases, store: Store, shelf: Shelf) -> None:
    async def full() -> AsyncIterator[bytes]:
        yield BUNDLE[:10]
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreFullError):
        await releases.receive(*signed(content()), full(), who="x")
    assert on_shelf(shelf) == [] and await store.updates.refused() == []


async def test_uploads_at_once_are_bounded(releases: Releases) -> None:
    async def nested(depth: int) -> AsyncIterator[bytes]:
        if depth:
            await releases.receive(*signed(content(version=str(depth))), nested(depth - 1), who="x")
        yield BUNDLE

    with pytest.raises(ConflictError, match="being uploaded"):
        await releases.receive(*signed(content()), nested(MAX_UPLOADS), who="x")
    await releases.receive(*signed(content()), nested(MAX_UPLOADS - 1), who="x")


async def test_the_trusted_text_is_kept_to_the_byte(releases: Releases) -> None:
    spaced = "\n" + made.keyset_text(3, 1, made.ANNA).replace(",", " ,\n") + "\n"
    kept = await releases.trust(spaced.encode(), replace=True)
    assert kept.text == spaced and keyset.parse(kept.text.encode()).version == 3
