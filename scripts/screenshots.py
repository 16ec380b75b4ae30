"""Take pictures of a hub's page: desktop and phone, light and dark, every place.

    python scripts/screenshots.py http://127.0.0.1:8484 [--out artifacts] [--only live] [--wait 2]
    python scripts/screenshots.py --demo [--out artifacts]

With --demo it plays the bundled conversation itself and begins when half a minute of it was heard. The one
in README.md is `live-desktop-light.png` of that; `make picture` takes it and puts it into docs/images.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, TimeoutError, sync_playwright

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")
HEARD_S = 34.0  # both rooms have spoken by then, and somebody is speaking
SPOKEN_S = 15.0  # so long a picture of Live waits for words of somebody who is still speaking
SPOKEN = """() => [...document.querySelectorAll(".saying li")].some((row) =>
  row.querySelector(".partial").textContent && row.querySelector(".tail").textContent)"""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def places(page: Page, address: str) -> dict[str, str]:
    """Name and address of each picture; the session is the newest that the hub has."""
    found = page.request.get(f"{address}/api/sessions?limit=1").json()["items"]
    known = {"live": "#/live", "timeline": "#/timeline", "devices": "#/devices", "updates": "#/updates"}
    return known | ({"session": f"#/session/{found[0]['id']}"} if found else {})


def shoot(browser_type: Any, address: str, out: Path, only: str | None, wait_s: float) -> list[Path]:
    """Take all pictures; returns their paths."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        context = browser_type.launch_persistent_context(
            folder, executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        page = context.pages[0]
        for place, where in places(page, address).items():
            for scheme in SCHEMES:
                for size, (width, height) in SIZES.items():
                    if only and only not in f"{place}-{size}-{scheme}":
                        continue
                    page.set_viewport_size({"width": width, "height": height})
                    page.emulate_media(color_scheme=scheme)
                    page.goto("about:blank")
                    page.goto(f"{address}/{where}")
                    page.wait_for_selector("#link[data-up=true]")
                    page.wait_for_timeout(wait_s * 1000)
                    if place == "live":
                        with contextlib.suppress(TimeoutError):  # nobody speaks: the picture is of that
                            page.wait_for_function(SPOKEN, timeout=SPOKEN_S * 1000)
                    path = out / f"{place}-{size}-{scheme}.png"
                    page.screenshot(path=path)
                    taken.append(path)
        context.close()
    return taken


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """A demo that has been heard for HEARD_S; its address."""
    command = [sys.executable, "-m", "minerva_tools.cli", "demo", "--server-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.match(r"Open (http://\S+) and watch", line):
                    time.sleep(HEARD_S)
                    yield found[1]
                    return
            raise SystemExit(f"the demo ended with {process.wait()} before it had an address")
        finally:
            process.terminate()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address", nargs="?", help="the hub's address, as `minerva hub` prints it")
    parser.add_argument("--demo", action="store_true", help="of a demo that is started for it")
    parser.add_argument("--out", type=Path, default=Path("artifacts"), help="folder for the pictures")
    parser.add_argument("--only", help="only pictures whose name has this in it")
    parser.add_argument("--wait", type=float, default=1.5, help="seconds before each picture")
    given = parser.parse_args()
    if given.demo == bool(given.address):
        parser.error("give either the address of a running hub, or --demo")
    if shutil.which("chromium") is None:
        print("chromium is not installed (apt install chromium)", file=sys.stderr)
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    hub = demo() if given.demo else contextlib.nullcontext(given.address)
    with hub as address, sync_playwright() as playwright:
        for path in shoot(playwright.chromium, address.rstrip("/"), given.out, given.only, given.wait):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
