"""Timeline, an open session and Devices in Chromium, by what a person does there."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from minerva_hub.events import Received, Session
from playwright.async_api import Route, expect
from watched_page import Watched
from web_fakes import DAY_MS, TestHub, device, now_ms

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]


async def talk(
    hub: TestHub, start_ms: int, *lines: str, id_: str = "kitchen", room: str = "Kitchen"
) -> Session:
    session = await hub.store.begin_session(id_, room, start_ms)
    at = start_ms
    for n, text in enumerate(lines):
        said = await hub.say(
            session.id, f"Speaker {'AB'[n % 2]}", text, start_ms=at, device=id_, room=room, publish=False
        )
        at = said.end_ms + 1000
    return await hub.store.end_session(session.id, at)


async def test_a_day_shows_its_sessions_and_their_speakers(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(), device("study", "Study"))
    noon = dt.datetime.combine(dt.date.today() - dt.timedelta(days=1), dt.time(12))
    yesterday = int(noon.timestamp() * 1000)
    one = await talk(page_hub, yesterday, "we need apples", "and bread")
    await talk(page_hub, yesterday + 60_000, "hello", id_="study", room="Study")
    watched = await open_page()
    await watched.open("timeline")
    page = watched.page
    main = page.get_by_role("main")
    await expect(main).to_contain_text("Nothing was said yet today.")
    await main.get_by_role("link").filter(has_text="20").click()  # the last day that has something
    await expect(main).to_contain_text("2 sessions, 3 lines.")
    await expect(page.locator(".chart .row")).to_have_count(2)
    await expect(page.locator(".track .bar")).to_have_count(3)
    await expect(page.locator(".sessions li")).to_have_count(2)
    await page.get_by_role("button", name="Next day").click()
    await expect(main).to_contain_text("Nothing was said yet today.")
    await page.get_by_role("button", name="Previous day").click()
    await page.get_by_role("link", name="Kitchen,").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Kitchen")
    assert page.url.endswith(f"#/session/{one.id}")
    await page.go_back()
    await expect(main).to_contain_text("2 sessions, 3 lines.")


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_times_under_a_chart_stay_in_its_card(
    open_page: Open, page_hub: TestHub, width: int, tmp_path: Path
) -> None:
    """Twenty seconds from 12:00:20 are shown on an axis with a time at its very beginning and end."""
    yesterday = dt.date.today() - dt.timedelta(days=1)
    start_ms = int(dt.datetime.combine(yesterday, dt.time(12, 0, 20)).timestamp() * 1000)
    session = await page_hub.store.begin_session("kitchen", "Kitchen", start_ms)
    await page_hub.say(session.id, "Speaker A", "we need apples", start_ms=start_ms, publish=False)
    await page_hub.store.end_session(session.id, start_ms + 20_000)
    watched = await open_page(width=width)
    for place in (f"session/{session.id}", f"timeline?day={yesterday}"):
        await watched.open(place)
        labels = watched.page.locator(".axis span:visible")
        await expect(labels.first).to_have_text("12:00:00")
        await expect(labels.last).to_have_text("12:01:00")
        axis = await watched.page.locator(".axis").bounding_box()
        for label in await labels.all():
            box = await label.bounding_box()
            assert box["x"] >= axis["x"] - 1, place
            assert box["x"] + box["width"] <= axis["x"] + axis["width"] + 1, place


async def test_today_grows_without_taking_the_focus_away(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    session = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms() - 5000)
    await page_hub.say(session.id, "Speaker A", "one")
    watched = await open_page()
    await watched.open("timeline")
    row = watched.page.locator(".sessions a")
    await row.focus()
    await page_hub.say(session.id, "Speaker B", "two")
    await expect(row).to_contain_text("2 lines")
    await expect(row).to_be_focused()


async def test_search_finds_a_line_and_leads_to_it(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(), device("study", "Study"))
    start = now_ms() - 3 * DAY_MS
    filler = [f"filler number {n}" for n in range(60)]
    session = await talk(page_hub, start, "small red apples", *filler, "the apple trees (all of them)")
    await talk(page_hub, now_ms() - 60_000, "apples again", id_="study", room="Study")
    watched = await open_page()
    await watched.open("timeline")
    page = watched.page
    await page.get_by_role("searchbox").fill("appl")
    hits = page.locator(".hits li")
    await expect(hits).to_have_count(3)
    await expect(hits.first).to_contain_text("apples again")  # the newest
    await expect(page.locator("mark").first).to_have_text("appl")
    await page.get_by_label("Room").select_option("study")
    await expect(hits).to_have_count(1)
    await page.get_by_label("Room").select_option("")
    await page.get_by_role("searchbox").fill("trees (all")
    await expect(hits).to_have_count(1)
    await page.get_by_label("This day only").check()
    await expect(page.get_by_role("main")).to_contain_text("Nothing found.")
    await page.get_by_label("This day only").uncheck()
    await hits.first.get_by_role("link").click()
    await expect(page.locator(".line.found")).to_contain_text("the apple trees")
    await expect(page.locator(".line.found")).to_be_in_viewport()
    assert f"#/session/{session.id}?line=" in page.url
    await page.go_back()
    await expect(page.get_by_role("searchbox")).to_have_value("trees (all")


async def test_older_results_come_when_asked_for(open_page: Open, page_hub: TestHub) -> None:
    await talk(page_hub, now_ms() - 3600_000, *[f"bread number {n}" for n in range(70)])
    watched = await open_page()
    await watched.open("timeline?q=bread")
    hits = watched.page.locator(".hits li")
    await expect(hits).to_have_count(50)
    await watched.page.get_by_role("button", name="Older results").click()
    await expect(hits).to_have_count(70)
    await expect(watched.page.get_by_role("button", name="Older results")).to_have_count(0)


async def test_a_session_is_exported(open_page: Open, page_hub: TestHub, tmp_path: Path) -> None:
    session = await talk(page_hub, now_ms() - 60_000, "we need apples", "and bread")
    watched = await open_page()
    await watched.open(f"session/{session.id}")
    for fmt, part in [
        ("TXT", "we need apples"),
        ("SRT", "-->"),
        ("VTT", "WEBVTT"),
        ("JSON", '"we need apples"'),
        ("RTTM", "SPEAKER "),
    ]:
        async with watched.page.expect_download() as started:
            await watched.page.get_by_role("link", name=f"Export as {fmt}").click()
        download = await started.value
        assert download.suggested_filename.endswith(fmt.lower())
        path = tmp_path / download.suggested_filename
        await download.save_as(path)
        assert part in path.read_text()


async def test_a_session_is_deleted_only_after_a_question(open_page: Open, page_hub: TestHub) -> None:
    session = await talk(page_hub, now_ms() - 60_000, "a secret")
    watched = await open_page()
    await watched.open(f"session/{session.id}")
    page = watched.page
    await page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete this session?")
    await expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert await page_hub.store.session(session.id)
    await page.get_by_role("button", name="Delete…").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Timeline")
    assert await page_hub.store.session(session.id) is None


async def test_a_session_that_goes_on_grows_and_can_be_ended(open_page: Open, page_hub: TestHub) -> None:
    session = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms() - 5000)
    watched = await open_page()
    await watched.open(f"session/{session.id}")
    page = watched.page
    await expect(page.get_by_role("main")).to_contain_text("Nothing was written down yet.")
    await page_hub.say(session.id, "Speaker A", "the first words")
    await expect(page.get_by_role("region", name="Transcript")).to_contain_text("the first words")
    await expect(page.get_by_role("list", name="Speakers")).to_contain_text("Speaker A")
    await page.get_by_role("button", name="End now").click()
    await expect(page.get_by_role("button", name="End now")).to_be_hidden()
    assert page_hub.fleet.ended == [session.id]


async def test_a_session_that_is_not_there(open_page: Open, page_hub: TestHub) -> None:
    watched = await open_page()
    watched.expected = ["404"]
    await watched.open("session/99")
    await expect(watched.page.get_by_role("main")).to_contain_text("there is no session 99")


async def test_mute_reaches_the_device_and_ends_again(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    watched = await open_page()
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await card.get_by_role("button", name="Mute Kitchen", exact=True).click()
    await expect(card).to_contain_text("Muted from the hub")
    assert page_hub.fleet.infos["kitchen"].mute == "hub"
    unmute = card.get_by_role("button", name="Unmute Kitchen")
    await expect(unmute).to_be_focused()
    await watched.page.keyboard.press("Enter")
    await expect(card).to_contain_text("Listening")
    assert page_hub.fleet.infos["kitchen"].mute == "off"


async def test_a_mute_at_the_button_cannot_be_ended_here(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(mute="button"))
    watched = await open_page()
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await expect(card).to_contain_text("Muted at its button. Only the button ends that, not this page.")
    await expect(card.get_by_role("button", name="Unmute Kitchen")).to_be_disabled()


async def test_modes_up_to_the_ceiling(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    watched = await open_page()
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await expect(card.get_by_role("radio", name="Speech")).to_be_checked()
    await expect(card.get_by_role("radio", name="Everything")).to_be_disabled()
    await expect(card).to_contain_text("above the limit set on the device")
    await expect(card.get_by_role("radio", name="Features")).to_be_disabled()
    await expect(card).to_contain_text("this firmware lacks it")
    await card.get_by_role("radio", name="Sounds only").check()
    await expect(card).to_contain_text("Noticing sounds only")
    assert page_hub.fleet.infos["kitchen"].mode == "events"


async def test_a_chosen_mode_stays_chosen_while_the_hub_is_asked(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    watched = await open_page()
    answer = asyncio.Event()

    async def later(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await watched.page.route("**/api/devices/kitchen/mode", later)
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    chosen = card.get_by_role("radio", name="Sounds only")
    await chosen.check()
    await expect(chosen).to_be_disabled()
    await expect(chosen).to_be_checked()
    answer.set()
    await expect(chosen).to_be_enabled()
    await expect(chosen).to_be_checked()


async def test_a_refusal_is_shown_and_undone(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(ceiling="full"))
    watched = await open_page()
    watched.expected = ["409"]
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await expect(card.get_by_role("radio", name="Everything")).to_be_enabled()
    page_hub.fleet.infos["kitchen"] = device()  # its ceiling fell, and the page does not know yet
    await card.get_by_role("radio", name="Everything").click()
    await expect(card).to_contain_text("full is above the ceiling speech of kitchen")
    await expect(card.get_by_role("radio", name="Speech")).to_be_checked()


async def test_health_of_devices_engines_and_hub(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(drops={"packets": 3}, gaps=2))
    watched = await open_page()
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    for text in ("good \u221258 dBm", "94 kB", "1 h 23 min", "0.1.0, micropython", "packets 3", "2 gaps"):
        await expect(card).to_contain_text(text)
    engines = watched.page.get_by_role("region", name="Engines")
    await expect(engines).to_contain_text("pocketsphinx, en-us")
    await expect(engines).to_contain_text("No Whisper model on disk: offline recogniser, expect mistakes.")
    await expect(watched.page.get_by_role("region", name="This hub")).to_contain_text("0123456789abcdef")


async def test_features_that_differ_from_the_hubs_are_said(open_page: Open, page_hub: TestHub) -> None:
    modes = ("mute", "events", "features", "speech", "full")
    got = {"logmel_u8": Received(packets=1200, frames=12_000), "ima_adpcm": Received(packets=1, frames=3)}
    page_hub.fleet.add(
        device(mode="features", modes=modes, self_test="differs", received=got),
        device("study", "Study", self_test="ok", heap_free=0),
        device("hall", "Hall"),
    )
    watched = await open_page()
    await watched.open("devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await expect(card).to_contain_text("other than this hub's: update this device")
    await expect(card).to_contain_text("1200 packets of features, 1 packet compressed 4:1")
    await expect(card).to_contain_text("speech can be reconstructed from this")
    study = watched.page.get_by_role("article", name="Study")
    await expect(study).to_contain_text("as this hub computes them")
    await expect(study.get_by_text("Free memory")).to_be_hidden()  # it has no heap
    hall = watched.page.get_by_role("article", name="Hall")
    await expect(hall).not_to_contain_text("this hub")
    await expect(hall.get_by_text("Free memory")).to_be_visible()
