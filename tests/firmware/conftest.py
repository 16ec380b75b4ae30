"""The conformance suite: one set of tests, every variant of the device, against a scripted hub.

    pytest tests/firmware                                   MicroPython and minerva-sim, as processes
    pytest tests/firmware -m hardware --device-port /dev/ttyUSB0 --device-settings settings.json

A board holds its settings already; the hub then listens at the port of their `url` (`--device-cert` and
`--device-key` for wss://), and tests that need more of a device than a board offers are skipped and say so.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from minerva_tools.sim import SimBuildError
from minerva_tools.virtual import Hearing

from tests.device.device_hub import DeviceHub, noise, talk, write_wav
from tests.firmware.raw_hub import RawHub
from tests.firmware.unit import Unit
from tests.firmware.variants import BOARD, BoardVariant, Variant, find_variant

SPEED = 4.0
VARIANTS = ("micropython", "rust")
SwitchOn = Callable[..., Unit]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("devices", "boards for the conformance suite")
    group.addoption("--device-port", help="serial port of a board, as /dev/ttyUSB0")
    group.addoption("--device-settings", help="the settings.json that this board holds")
    group.addoption("--device-variant", default="rust", help="what it runs: micropython or rust")
    group.addoption("--device-cert", help="certificate (PEM) of the scripted hub, for a wss:// url")
    group.addoption("--device-key", help="its key")


def feature_of(item: pytest.Item | pytest.FixtureRequest) -> pytest.Mark:
    """The one mark `feature` that every test here carries."""
    node = item.node if isinstance(item, pytest.FixtureRequest) else item
    mark = node.get_closest_marker("feature")
    assert mark is not None, f"{node.nodeid} has no mark: feature(area, text, needs=(), only=None)"
    return mark


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test for every variant that has its feature; with a port, for the board at it too."""
    if "variant" not in metafunc.fixturenames:
        return
    only = next(iter(metafunc.definition.iter_markers("feature"))).kwargs.get("only")
    names = [pytest.param(name) for name in VARIANTS if only in (None, name)]
    names.append(pytest.param("board", marks=pytest.mark.hardware))
    metafunc.parametrize("variant", names, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a port there is one skip that says so, not one for each test."""
    if _option(config, "--device-port"):
        return
    boards = [item for item in items if _is_for_board(item)]
    if boards:
        config.hook.pytest_deselected(items=boards[1:])
        boards[0].add_marker(
            pytest.mark.skip(reason=f"no --device-port: {len(boards)} tests on a board were NOT run")
        )
        items[:] = [item for item in items if item not in set(boards[1:])]


def _is_for_board(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents and item.get_closest_marker("hardware") is not None


def _option(config: pytest.Config, name: str) -> Any:
    """An option that is not there when this folder was not named on the command line."""
    return config.getoption(name, None)


@pytest.fixture
def variant(request: pytest.FixtureRequest) -> Variant:
    """The device under test; skips where it cannot be had or lacks what the test needs."""
    config = request.config
    found: Variant | str | SimBuildError
    if request.param == "board":
        port, settings = _option(config, "--device-port"), _option(config, "--device-settings")
        assert port and settings, "a board takes --device-port and --device-settings"
        only = feature_of(request).kwargs.get("only")
        if only not in (None, _option(config, "--device-variant")):
            pytest.skip(f"{only} alone has this")
        found = BoardVariant("board", str(port), BOARD, Path(port), Path(settings))
    else:
        found = find_variant(request.param)
    if isinstance(found, SimBuildError):
        raise found
    if isinstance(found, str):
        pytest.skip(found)
    lacking = set(feature_of(request).kwargs.get("needs", ())) - found.can
    if lacking:
        pytest.skip(f"{found.name} offers no {', '.join(sorted(lacking))} to a test")
    return found


@pytest.fixture
async def hub(variant: Variant, request: pytest.FixtureRequest) -> AsyncIterator[DeviceHub]:
    """A scripted hub, where the device looks for it."""
    if not isinstance(variant, BoardVariant):
        async with DeviceHub() as hub:
            yield hub
        return
    url = urlsplit(json.loads(variant.settings.read_text())["url"])
    context = None
    if url.scheme == "wss":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            _option(request.config, "--device-cert"), _option(request.config, "--device-key")
        )
    hub = DeviceHub(context)
    hub.host = "0.0.0.0"
    await hub.start(url.port or (443 if context else 80))
    yield hub
    await hub.stop()


@pytest.fixture
def switch_on(variant: Variant, request: pytest.FixtureRequest, tmp_path: Path) -> SwitchOn:
    """`async with switch_on(hub) as unit`: a device of that hub, with settings, a room and a clock as given.

    Every device of a test has the same flash, so a second one is the first one after a power cut.
    """
    count = 0

    def switch_on(
        hub: DeviceHub | RawHub | None = None,
        wav: Path | None = None,
        *,
        speed: float = SPEED,
        boot_ms: int = 0,
        loop: bool = False,
        raw_settings: str | None = None,
        **settings: Any,
    ) -> Unit:
        nonlocal count
        count += 1
        folder = tmp_path / "flash"
        folder.mkdir(exist_ok=True)
        content = {"version": 1, "board": "virtual", **(hub.settings(**settings) if hub else settings)}
        (folder / "settings.json").write_text(json.dumps(content) if raw_settings is None else raw_settings)
        quiet = wav is None
        hearing = Hearing(
            wav=wav or write_wav(tmp_path / "quiet.wav", noise(4, -70)),
            full_scale_spl=120,
            loop=loop or quiet,
            lossless=True,
            speed=speed,
            boot_ms=boot_ms,
        )
        return Unit(variant, folder, hearing, tmp_path / f"log{count}", request.node.name)

    return switch_on


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """3 s of quiet, 3 s of talk, 30 s of quiet."""
    quiet = noise(30, -85, 2)
    return write_wav(tmp_path / "room.wav", np.concatenate([quiet[:48000], talk(3), quiet]))


@pytest.fixture
def chatter(tmp_path: Path) -> Path:
    """60 s of talk."""
    return write_wav(tmp_path / "chatter.wav", talk(60))
