"""The page for everybody: narrow screens, dark and light, keyboard, screen reader, unwanted motion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from minerva_hub.events import Gap, NewSound, Partial, Speaking
from playwright.async_api import expect
from watched_page import Watched
from web_fakes import TestHub, device, health, now_ms

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]
PLACES = ("live", "timeline", "timeline?q=word", "devices", "updates", "session/1")

# Every element that shows text of its own: its colour against what is painted behind it (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    if (element.matches(":disabled, :disabled *, .skip, option, script, noscript")) continue;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) === 0) continue;
    const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const text = element.textContent.slice(0, 40);
    if (ratio < 4.5) found.push(`${element.tagName} ${element.className} "${text}" ${ratio.toFixed(2)}`);
  }
  return found;
}"""


# What reaches beyond the window's sides; bars and ticks are clipped by the axis that holds them.
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility() && !one.closest(".hidden, .skip, .track, .axis"))
  .filter((one) => getComputedStyle(one).clipPath === "none")
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.right > innerWidth + 0.5 || box.left < -0.5))
  .map(([one, box]) => `${one.tagName}.${one.className} ${box.left} to ${box.right}`)"""
ROLES = "button link textbox searchbox combobox checkbox radio article region img dialog".split()
FOCUSED = """() => {
  const one = document.activeElement;
  const name = one.getAttribute("aria-label") ?? one.id;
  return one === document.body ? null : [name, getComputedStyle(one).outlineStyle];
}"""


@pytest.fixture
async def furnished(page_hub: TestHub) -> TestHub:
    """A hub with something of everything, some of it long."""
    long = "Grandmother's-reading-and-embroidery-room-on-the-upper-floor"
    page_hub.fleet.add(
        device(),
        device(
            "long", long, firmware="1.2.3-rc.4+build.20261122.deadbeef", drops={"packets": 12, "frames": 7}
        ),
        device("office", "Office", mute="button"),
        device("hall", "Hall", online=False, problem="the token is wrong: pair it again"),
    )
    page_hub.current[0] = health(warnings=("listening on 0.0.0.0 without encryption",), drops={"segments": 3})
    session = await page_hub.store.begin_session("long", long, now_ms() - 60_000)
    for n in range(8):
        text = "word " * 20 + "https://example.org/" + "a" * 80 if n == 3 else "a few words"
        await page_hub.say(
            session.id, f"Speaker {'ABCDEFGH'[n]}", text, room=long, device="long", publish=False
        )
    at = now_ms()
    sound = NewSound(device="hall", room="Hall", label="loud sound", score=0.5, start_ms=at, end_ms=at + 900)
    await page_hub.store.add_sound(sound)
    await page_hub.store.add_gap(
        Gap(device="long", start_ms=at, end_ms=at + 5000, packets=3, reason="overwritten")
    )
    page_hub.bus.publish(Speaking(device="long", room=long, state="speaking", since_ms=at))
    words = "and so " * 30 + "a" * 80
    page_hub.bus.publish(
        Partial(device="long", room=long, since_ms=at, until_ms=at, committed=words, tail=words)
    )
    return page_hub


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_is_lost_at_360_pixels(open_page: Open, furnished: TestHub, place: str) -> None:
    watched = await open_page(width=360, height=740)
    await watched.open(place)
    await watched.page.wait_for_timeout(400)
    wide = await watched.page.evaluate(TOO_WIDE)
    assert wide == []
    assert await watched.page.evaluate("() => document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast_of_all_text(open_page: Open, furnished: TestHub, scheme: str) -> None:
    watched = await open_page(color_scheme=scheme)
    grounds = set()
    for place in PLACES:
        await watched.open(place)
        await watched.page.wait_for_timeout(300)
        assert await watched.page.evaluate(CONTRAST) == []
        grounds.add(
            await watched.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        )
    assert grounds == {"rgb(246, 245, 241)" if scheme == "light" else "rgb(17, 20, 23)"}


async def test_a_screen_reader_finds_its_way(open_page: Open, furnished: TestHub) -> None:
    watched = await open_page()
    page = watched.page
    for place in PLACES:
        await watched.open(place)
        await page.wait_for_timeout(200)
        for role in ("banner", "main"):
            await expect(page.get_by_role(role)).to_have_count(1)
        await expect(page.get_by_role("navigation", name="Places")).to_have_count(1)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        tree = await page.locator("body").aria_snapshot()
        nameless = [one for one in tree.splitlines() if one.strip(" -:") in ROLES]
        assert nameless == [], tree
    await watched.open("live")
    tree = await page.get_by_role("main").aria_snapshot()
    assert 'log "Live transcript"' in tree
    assert "Speaker A" in tree and "loud sound" in tree
    await watched.open("session/1")
    tree = await page.get_by_role("main").aria_snapshot()
    for name in ("Export as SRT: Subtitles for players", "Delete…", "End now"):
        assert name in tree


async def test_everything_by_keyboard(open_page: Open, furnished: TestHub) -> None:
    watched = await open_page()
    await watched.open("live")
    page = watched.page
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.get_by_role("link", name="Devices", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Devices")).to_be_focused()
    await page.wait_for_timeout(200)
    reached: dict[str, str] = {}
    while True:
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if focused is None or focused[0] in reached:
            break
        reached[focused[0]] = focused[1]
    assert "Mute Kitchen" in reached and "mode-kitchen-speech" in reached
    assert set(reached.values()) == {"solid"}  # focus is always visible


async def test_motion_only_where_it_is_wanted(open_page: Open, furnished: TestHub) -> None:
    for preference, moves in (("reduce", "none"), ("no-preference", "swell")):
        watched = await open_page(reduced_motion=preference)
        await watched.open("live")
        dot = watched.page.locator(".saying .dots i").first
        await expect(dot).to_be_attached()
        assert await dot.evaluate("(one) => getComputedStyle(one).animationName") == moves
