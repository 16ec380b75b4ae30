"""The page that flashes boards: what it offers, with which manifest, and that the image is the signed one."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from ddi_hub import new_release
from minerva_hub.rollouts.shelf import BUNDLE, FILES, Shelf
from playwright.async_api import expect
from test_page_access import CONTRAST, TOO_WIDE
from watched_page import Watched
from web_fakes import TestHub

from tests.fakes.ota_release import OWNER, Signer, keyset

Open = Callable[..., Awaitable[Watched]]
# A board that says nothing, as one that was never flashed.
SILENT_PORT = """navigator.serial.requestPort = async () => ({
  open: async () => {}, close: async () => {}, getInfo: () => ({}), setSignals: async () => {},
  addEventListener() {}, removeEventListener() {},
  readable: new ReadableStream({}), writable: new WritableStream({}),
})"""
IMAGE = b"\xe9" + bytes(range(256)) * 40


async def publish(hub: TestHub, folder: Path, abi: str, version: str = "1.2.3") -> tuple[int, Path]:
    """(id, where its image is) of a release that the hub took, signed by OWNER, whom it trusts."""
    await hub.store.updates.set_key_set(1, keyset(OWNER).decode(), replace=True)
    texts = (f'{{"version":"{version}"}}'.encode(), b'{"format":1}', IMAGE)
    shelf = Shelf(folder / "hub" / "releases")
    incoming = shelf.incoming()
    for name, data in zip(FILES, texts, strict=True):
        (incoming / name).write_bytes(data)
    digest = hashlib.sha256(texts[0]).hexdigest()
    shelf.keep(incoming, digest)
    made = new_release(version, digest, dict(zip(FILES, texts, strict=True)))
    made = msgspec.structs.replace(
        made, kind="image", abi=abi, boards=("devkitc1_inmp441",), signers=(OWNER.id,)
    )
    kept = await hub.store.updates.add_release(made)
    return kept.id, shelf.path(digest, BUNDLE)


async def test_only_images_for_new_boards_are_offered(page_hub: TestHub, tmp_path: Path) -> None:
    full, _ = await publish(page_hub, tmp_path, "esp32s3-full")
    update, _ = await publish(page_hub, tmp_path, "esp32s3", "1.2.4")
    strange, _ = await publish(page_hub, tmp_path, "z80-full", "1.2.5")
    items = (await (await page_hub.client.get("/flasher/images.json")).json())["items"]
    assert [one["id"] for one in items] == [full]
    for other in (update, strange, 999):
        assert (await page_hub.client.get(f"/flasher/{other}/manifest.json")).status == 404
        assert (await page_hub.client.get(f"/flasher/{other}/firmware.bin")).status == 404


async def test_what_the_trusted_keys_would_not_sign_is_not_offered(page_hub: TestHub, tmp_path: Path) -> None:
    id_, _ = await publish(page_hub, tmp_path, "esp32s3-full")
    for keys in ((Signer("other"),), (OWNER, Signer("other"))):
        text = keyset(*keys, threshold=len(keys)).decode()
        await page_hub.store.updates.set_key_set(2, text, replace=True)
        assert (await (await page_hub.client.get("/flasher/images.json")).json())["items"] == []
        assert (await page_hub.client.get(f"/flasher/{id_}/firmware.bin")).status == 404


@pytest.mark.parametrize(
    ("abi", "family", "offset"), [("esp32s3-full", "ESP32-S3", 0), ("esp32-full", "ESP32", 0x1000)]
)
async def test_the_manifest_is_esp_web_tools_own(
    page_hub: TestHub, tmp_path: Path, abi: str, family: str, offset: int
) -> None:
    id_, _ = await publish(page_hub, tmp_path, abi)
    said = await (await page_hub.client.get(f"/flasher/{id_}/manifest.json")).json()
    assert (said["name"], said["version"]) == ("minerva", "1.2.3")
    [build] = said["builds"]
    assert build == {"chipFamily": family, "parts": [{"path": "firmware.bin", "offset": offset}]}
    answer = await page_hub.client.get(f"/flasher/{id_}/firmware.bin")
    assert answer.status == 200 and await answer.read() == IMAGE


@pytest.mark.parametrize("damage", [IMAGE[:-1], IMAGE[:-1] + b"\x00", b""])
async def test_an_image_that_was_changed_on_the_disk_is_not_sent(
    page_hub: TestHub, tmp_path: Path, damage: bytes
) -> None:
    id_, path = await publish(page_hub, tmp_path, "esp32s3-full")
    path.write_bytes(damage)
    answer = await page_hub.client.get(f"/flasher/{id_}/firmware.bin")
    assert answer.status == 500 and (await answer.json())["code"] == "bad_hash"
    path.unlink()
    assert (await page_hub.client.get(f"/flasher/{id_}/firmware.bin")).status == 500


async def test_only_this_page_may_build_elements_from_text(page_hub: TestHub) -> None:
    assert "trusted-types" not in (await page_hub.client.get("/flasher")).headers["Content-Security-Policy"]
    for path in ("/", "/flasher/images.json", "/page/js/main.js"):
        assert "trusted-types 'none'" in (await page_hub.client.get(path)).headers["Content-Security-Policy"]


@pytest.mark.browser
async def test_the_page_offers_the_image_in_a_browser(
    page_hub: TestHub, open_page: Open, tmp_path: Path
) -> None:
    await publish(page_hub, tmp_path, "esp32s3-full")
    watched = await open_page(width=360, height=740)
    page = watched.page
    watched.expected = ["Improv initialization failed"]  # the board there says nothing
    await page.goto(f"{page_hub.url}/flasher")
    await expect(page.get_by_role("heading", name="minerva 1.2.3")).to_be_visible()
    button = page.get_by_role("button", name="Connect and install on ESP32-S3")
    await expect(button).to_be_visible()
    assert await page.evaluate("customElements.get('esp-web-install-button') !== undefined")
    assert await page.evaluate(TOO_WIDE) == [] and await page.evaluate(CONTRAST) == []
    supported = "document.querySelector('esp-web-install-button').hasAttribute('install-supported')"
    assert await page.evaluate(supported)
    await page.evaluate(SILENT_PORT)
    await button.click()
    # It listens for a second first. What the page's policy forbids it to build would be a fault of this page.
    await expect(page.get_by_text("Install minerva").first).to_be_visible(timeout=30_000)


@pytest.mark.browser
async def test_the_page_says_when_there_is_no_image(page_hub: TestHub, open_page: Open) -> None:
    watched = await open_page()
    await watched.page.goto(f"{page_hub.url}/flasher")
    await expect(watched.page.get_by_role("alert")).to_contain_text("No image for a new board")
