"""What `minerva release publish`, `trust` and `list` do, against a real hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import keyset
from minerva_hub.app import serve
from minerva_hub.config import HubConfig, ServerConfig, StoreConfig
from minerva_hub.errors import UserError
from minerva_hub.events import EngineInfo
from minerva_hub.transcribe import Hypothesis, Transcript
from minerva_tools.release import keys, publishing, signing
from minerva_tools.release.building import Description, build
from minerva_tools.release.files import Content
from minerva_tools.release.texts import Release
from minerva_tools.rest import HubAddress, HubRefusedError, HubUnreachableError

FILES = {"minerva/app.py": b"print('hello')\n" * 15_000, "minerva/b.py": b""}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


class Silent:
    """An engine that is never asked."""

    info = EngineInfo(stage="transcribe", name="silent", state="ready", reason="test")

    def open(self) -> Silent:
        return self

    def transcribe(self, pcm: Any) -> Transcript:
        return Transcript("", (), "en")

    def hypothesis(self, pcm: Any) -> Hypothesis:
        return Hypothesis(())

    def close(self) -> None:
        pass


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubAddress]:
    config = HubConfig(server=ServerConfig(port=0, tls=False), store=StoreConfig(path=tmp_path / "store"))
    async with serve(config, engine=Silent) as (_, where):
        yield HubAddress(where)


def made(folder: Path, version: str = "0.2.0", **changes: object) -> Release:
    values: dict[str, Any] = {
        "version": version,
        "security_version": 1,
        "kind": "application",
        "variant": "micropython",
        "boards": ("virtual",),
        "created": 1_700_000_000,
        "expires": 4_000_000_000,
        "keys": (keyset.key_id(PUBLIC),),
    }
    release, _ = build(folder, Description(**(values | changes)), Content("source", FILES))
    signing.sign_release(release, KEY)
    return release


async def test_a_release_goes_to_the_hub_and_what_it_refuses_is_shown(
    hub: HubAddress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = made(tmp_path / "r")
    with pytest.raises(HubRefusedError, match="trusts no keys") as refused:
        await publishing.publish(hub, release)
    assert (refused.value.status, refused.value.code) == (422, "unknown_key")
    await publishing.trust(hub, keys.keyset_text(1, 1, [PUBLIC]), replace=False)
    with pytest.raises(HubRefusedError) as refused:
        await publishing.trust(hub, keys.keyset_text(1, 1, [b"\x05" * 32]), replace=False)
    assert refused.value.status == 409

    kept = await publishing.publish(hub, release)
    assert (kept.version, kept.signers, kept.files) == ("0.2.0", (keyset.key_id(PUBLIC),), 2)
    with pytest.raises(HubRefusedError, match="already") as refused:
        await publishing.publish(hub, release)
    assert refused.value.status == 409
    with pytest.raises(HubRefusedError, match="other content") as refused:
        await publishing.publish(hub, made(tmp_path / "other", security_version=2))
    assert refused.value.status == 409

    for name, change, code in (
        (
            "unsigned",
            lambda r: r.signature.write_bytes(b'{"format":1,"signatures":[],"keysets":[]}'),
            "too_few",
        ),
        ("cut", lambda r: r.bundle.write_bytes(r.bundle.read_bytes()[:-1]), "bad_size"),
        ("changed", lambda r: r.bundle.write_bytes(b"P" + r.bundle.read_bytes()[1:]), "bad_hash"),
        ("long", lambda r: r.manifest.write_bytes(b" " * 20_000), "too_long"),
    ):
        bad = made(tmp_path / name, "0.3.0")
        change(bad)
        with pytest.raises(HubRefusedError) as refused:
            await publishing.publish(hub, bad)
        assert refused.value.status == 422 and refused.value.code.startswith(code)

    found = await publishing.listing(hub)
    assert found.trusted is not None and found.trusted.keys == kept.signers
    assert [r.id for r in found.releases] == [kept.id]
    assert [r.code for r in found.refused][:3] == ["too_long", "bad_hash", "bad_size"]
    publishing.show(found)
    said = capsys.readouterr().out
    assert "0.2.0" in said and "bad_hash" in said and kept.signers[0] in said


async def test_without_a_hub_or_a_release_it_says_so(tmp_path: Path) -> None:
    release = made(tmp_path / "r")
    with pytest.raises(HubUnreachableError, match="minerva hub"):
        await publishing.publish(HubAddress("http://127.0.0.1:1"), release)
    with pytest.raises(UserError, match=r"manifest\.json"):
        await publishing.publish(HubAddress("http://127.0.0.1:1"), Release(tmp_path))


@pytest.mark.parametrize(
    ("url", "password"), [("ftp://x", None), ("127.0.0.1", None), ("http://hub.local", "secret")]
)
def test_addresses_that_cannot_be(url: str, password: str | None) -> None:
    with pytest.raises(UserError):
        HubAddress(url, password=password)
