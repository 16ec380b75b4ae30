"""The page that flashes boards through a browser, and what ESP Web Tools asks for: a manifest and its image.

Only signed releases that the hub checked are offered, and of those only whole images for a new board: their
abi is `<chip>-full`, which no device takes as an update. The image's hash is checked whenever it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Final

from aiohttp import web

from minerva_hub.events import Release
from minerva_hub.releases import BUNDLE
from minerva_hub.web.faces import FACES
from minerva_hub.web.guard import FLASHER
from minerva_hub.web.login import PAGE
from minerva_hub.web.problems import ApiError

FULL: Final = "-full"
# Chip -> (ESP Web Tools' name of it, where its ROM looks for the bootloader).
FAMILIES: Final = {
    "esp32": ("ESP32", 0x1000),
    "esp32s2": ("ESP32-S2", 0x1000),
    "esp32s3": ("ESP32-S3", 0),
    "esp32c2": ("ESP32-C2", 0),
    "esp32c3": ("ESP32-C3", 0),
    "esp32c6": ("ESP32-C6", 0),
    "esp32h2": ("ESP32-H2", 0),
}


def setup(app: web.Application) -> None:
    """Add the page and its files."""
    app.router.add_get(FLASHER, page)
    app.router.add_get(f"{FLASHER}/images.json", images)
    app.router.add_get(FLASHER + r"/{id:\d{1,18}}/manifest.json", manifest)
    app.router.add_get(FLASHER + r"/{id:\d{1,18}}/firmware.bin", firmware)


async def page(request: web.Request) -> web.FileResponse:
    """Send the page itself."""
    return web.FileResponse(PAGE / "flasher.html")


async def images(request: web.Request) -> web.Response:
    """List the releases that can be flashed onto a new board, newest first."""
    return web.json_response({"items": [_item(one) for one in await _offered(request)]})


async def manifest(request: web.Request) -> web.Response:
    """The ESP Web Tools manifest of a release."""
    found = await _release(request)
    family, offset = FAMILIES[found.abi.removesuffix(FULL)]
    return web.json_response(
        {
            "name": found.name,
            "version": found.version,
            "new_install_prompt_erase": True,
            "builds": [{"chipFamily": family, "parts": [{"path": "firmware.bin", "offset": offset}]}],
        }
    )


async def firmware(request: web.Request) -> web.Response:
    """The image, as it was signed; ApiError when what is on the disk is something else by now."""
    found = await _release(request)
    wanted = next(one for one in found.artifacts if one.filename == BUNDLE)
    path = request.app[FACES].updates.shelf.path(found.digest, BUNDLE)
    data = await asyncio.to_thread(_whole, path, wanted.size, wanted.sha256)
    return web.Response(body=data, content_type="application/octet-stream")


def _whole(path: Path, size: int, sha256: str) -> bytes:
    """The file's bytes, at most 16 MB; ApiError unless they are those with this hash."""
    try:
        data = path.read_bytes() if path.stat().st_size == size else b""
    except OSError:
        data = b""
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise ApiError(500, "bad_hash", "the image on the hub's disk is not the one that was signed")
    return data


async def _offered(request: web.Request) -> list[Release]:
    """Images whose signers still make up the threshold of the keys that are trusted now."""
    updates = request.app[FACES].updates
    trusted = await updates.releases.trusted()
    return [
        one
        for one in await request.app[FACES].store.updates.releases()
        if one.kind == "image" and one.abi.endswith(FULL) and one.abi.removesuffix(FULL) in FAMILIES
        if trusted is not None and len(set(one.signers) & set(trusted.keys)) >= trusted.threshold
    ]


async def _release(request: web.Request) -> Release:
    id_ = int(request.match_info["id"])
    for one in await _offered(request):
        if one.id == id_:
            return one
    raise ApiError(404, "unknown", f"there is no image {id_} for a new board")


def _item(one: Release) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "boards": list(one.boards),
        "family": FAMILIES[one.abi.removesuffix(FULL)][0],
        "manifest": f"{FLASHER}/{one.id}/manifest.json",
    }
