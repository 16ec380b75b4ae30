"""The page's Live place in Chromium: what is said appears, as text and nothing else, in order and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from minerva_hub.events import (
    CfVoiceInfo,
    EngineInfo,
    Gap,
    GapRecorded,
    HealthChanged,
    Level,
    NewSound,
    Partial,
    SessionRemoved,
    SoundHeard,
    SpeakersChanged,
    Speaking,
    UtteranceAdded,
)
from playwright.async_api import expect
from watched_page import Watched
from web_fakes import READY, TestHub, device, health, now_ms

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]
EVIL = """<img src=x onerror="document.body.id='owned'"><script>alert(1)</script> & "quoted" 'text'"""


def speaking(state: str, since_ms: int = 0) -> Speaking:
    return Speaking(device="kitchen", room="Kitchen", state=state, since_ms=since_ms)  # type: ignore[arg-type]


def partial(committed: str, tail: str = "", since_ms: int = 0) -> Partial:
    return Partial(
        device="kitchen", room="Kitchen", since_ms=since_ms, until_ms=since_ms, committed=committed, tail=tail
    )


async def test_what_is_said_appears_live_with_speaker_room_and_colour(
    open_page: Open, page_hub: TestHub
) -> None:
    page_hub.fleet.add(device(), device("study", "Study"))
    one = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms())
    two = await page_hub.store.begin_session("study", "Study", now_ms())
    await page_hub.say(one.id, "Speaker A", "before the page was open")
    watched = await open_page()
    await watched.open()
    page = watched.page
    log = page.get_by_role("log", name="Live transcript")
    await expect(log.get_by_text("before the page was open")).to_be_visible()

    page_hub.bus.publish(speaking("speaking"))
    now = page.get_by_role("list", name="Being said now")
    await expect(now).to_contain_text("Kitchen")
    await expect(now).to_contain_text("someone is speaking…")
    page_hub.bus.publish(speaking("idle"))
    await expect(now.get_by_role("listitem")).to_have_count(0)

    await page_hub.say(one.id, "Speaker B", "good morning to you")
    await page_hub.say(two.id, "Speaker A", "hello from the study", room="Study", device="study")
    lines = log.get_by_role("listitem")
    await expect(lines).to_have_count(3)
    await expect(lines.nth(1)).to_contain_text("Speaker B")
    await expect(lines.nth(1)).to_contain_text("Kitchen")
    await expect(lines.nth(2)).to_contain_text("Study")
    await expect(log).to_have_attribute("aria-live", "polite")
    colours = [await lines.nth(i).get_attribute("data-colour") for i in range(3)]
    assert len(set(colours)) == 3
    await watched.open(f"session/{one.id}")
    lines = page.get_by_role("region", name="Transcript").get_by_role("listitem")
    assert [await lines.nth(i).get_attribute("data-colour") for i in range(2)] == colours[:2]


async def test_words_appear_while_they_are_spoken_and_the_line_replaces_them(
    open_page: Open, page_hub: TestHub
) -> None:
    page_hub.fleet.add(device())
    at = now_ms()
    session = await page_hub.store.begin_session("kitchen", "Kitchen", at)
    page_hub.bus.publish(speaking("speaking", at))
    page_hub.bus.publish(partial("", "we", at))
    watched = await open_page()
    await watched.open()
    page = watched.page
    row = page.get_by_role("list", name="Being said now").get_by_role("listitem")
    await expect(row.locator(".tail")).to_have_text("we")  # the page was opened in the middle of it
    page_hub.bus.publish(partial("we need", "to by", at))
    await expect(row.locator(".partial")).to_have_text("we need")
    await expect(row.locator(".tail")).to_have_text("to by")
    shades = [
        await row.locator(f".{name}").evaluate("one => getComputedStyle(one).color")
        for name in ("partial", "tail")
    ]
    assert shades[0] == await page.evaluate("() => getComputedStyle(document.body).color") != shades[1]
    assert await row.evaluate("one => one.closest('[aria-live], [role=log], [role=status]')") is None
    # Somebody goes on while the words before are still being written down.
    page_hub.bus.publish(speaking("transcribing", at))
    page_hub.bus.publish(speaking("speaking", at + 5000))
    await expect(row).to_have_count(2)
    await expect(row.nth(1)).to_contain_text("someone is speaking…")
    page_hub.bus.publish(partial("", "yes", at + 5000))
    await expect(row.nth(1)).to_contain_text("yes")
    await page_hub.say(session.id, "Speaker A", "we need to buy bread", start_ms=at)
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("yes")
    await expect(page.get_by_role("log")).to_contain_text("we need to buy bread")
    page_hub.bus.publish(speaking("idle"))
    await expect(row).to_have_count(0)


async def test_a_line_that_came_late_says_so(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    session = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms())
    watched = await open_page()
    await watched.open()
    said = await page_hub.say(session.id, "Speaker A", "we need bread", publish=False)
    page_hub.bus.publish(UtteranceAdded(utterance=said, late_s=35))
    await expect(watched.page.locator(f"#u{said.id} .late")).to_have_text("35 s late")


async def test_text_from_people_and_devices_is_inert(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device(room=EVIL, problem=EVIL, firmware=EVIL, board=EVIL, kind=EVIL, slot=EVIL))
    page_hub.current[0] = health(
        engines=(EngineInfo(stage="transcribe", name=EVIL, model=EVIL, state="rough", reason=EVIL),),
        warnings=(EVIL,),
    )
    session = await page_hub.store.begin_session("kitchen", EVIL, now_ms())
    await page_hub.say(session.id, EVIL, EVIL, room=EVIL)
    sound = NewSound(device="kitchen", room=EVIL, label=EVIL, score=1, start_ms=now_ms(), end_ms=now_ms())
    await page_hub.store.add_sound(sound)
    watched = await open_page()
    for place in ("live", "devices", "timeline", "timeline?q=%3Cimg", f"session/{session.id}"):
        await watched.open(place)
        await expect(watched.page.get_by_text("onerror").first).to_be_attached()
        page_hub.bus.publish(speaking("speaking"))
        page_hub.bus.publish(partial(EVIL, EVIL))
        await watched.page.wait_for_timeout(150)
        assert await watched.page.locator("main img, main script").count() == 0
        assert await watched.page.locator("#owned").count() == 0


async def test_a_relabelling_and_a_deletion_reach_shown_lines(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    session = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms())
    first = await page_hub.say(session.id, "Speaker A", "one")
    second = await page_hub.say(session.id, "Speaker A", "two", start_ms=first.end_ms + 100)
    watched = await open_page()
    await watched.open()
    line = watched.page.locator(f"#u{second.id}")
    await expect(line).to_contain_text("Speaker A")
    before = await line.get_attribute("data-colour")
    page_hub.bus.publish(SpeakersChanged(session_id=session.id, speakers={str(second.id): "Speaker B"}))
    await expect(line.locator(".name")).to_have_text("Speaker B")
    await expect(line.locator(".mark")).to_be_visible()  # no longer the same turn
    assert await line.get_attribute("data-colour") != before
    page_hub.bus.publish(SessionRemoved(id=session.id))
    await expect(watched.page.locator(".line")).to_have_count(0)


async def test_lines_are_ordered_by_time_and_bounded(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    start = now_ms() - 1_000_000
    session = await page_hub.store.begin_session("kitchen", "Kitchen", start)
    watched = await open_page()
    await watched.open()
    await page_hub.say(session.id, "Speaker A", "later", start_ms=start + 9000)
    await page_hub.say(session.id, "Speaker A", "earlier", start_ms=start + 1000)
    lines = watched.page.locator(".line .text")
    await expect(lines).to_have_text(["earlier", "later"])
    for n in range(310):
        await page_hub.say(session.id, "Speaker A", f"line {n}", start_ms=start + 10_000 + n * 1000)
        if n % 50 == 0:
            await asyncio.sleep(0.05)
    await expect(lines.last).to_have_text("line 309")
    assert await lines.count() == 300


async def test_reading_back_is_not_disturbed_and_now_leads_back(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    start = now_ms() - 1_000_000
    session = await page_hub.store.begin_session("kitchen", "Kitchen", start)
    for n in range(60):
        await page_hub.say(
            session.id, f"Speaker {'AB'[n % 2]}", f"line {n}", start_ms=start + n * 1000, publish=False
        )
    watched = await open_page(width=390, height=844)
    await watched.open()
    page = watched.page
    await expect(page.get_by_text("line 59", exact=True)).to_be_in_viewport()
    now = page.get_by_role("button", name="To now")
    await expect(now).to_be_hidden()
    await page.mouse.move(200, 500)
    await page.mouse.wheel(0, -1500)
    await expect(now).to_be_visible()
    at = await page.evaluate("() => scrollY")
    await page_hub.say(session.id, "Speaker A", "a new line below")
    await expect(now).to_have_text("Now · 1 new line")
    assert await page.evaluate("() => scrollY") == at
    await now.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("a new line below")).to_be_in_viewport()
    await expect(now).to_be_hidden()


async def test_sounds_gaps_and_levels(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    watched = await open_page(reduced_motion="reduce")
    await watched.open()
    new = NewSound(
        device="kitchen",
        room="Kitchen",
        label="doorbell",
        score=0.9,
        start_ms=now_ms(),
        end_ms=now_ms() + 500,
    )
    page_hub.bus.publish(SoundHeard(sound=await page_hub.store.add_sound(new)))
    page_hub.bus.publish(
        GapRecorded(
            gap=Gap(device="kitchen", start_ms=now_ms(), end_ms=now_ms() + 4000, packets=60, reason="lost")
        )
    )
    log = watched.page.get_by_role("log")
    await expect(log).to_contain_text("doorbell")
    await expect(log).to_contain_text("4 s of Kitchen missing: lost on the way")
    bar = watched.page.locator(".rooms .level i")
    page_hub.bus.publish(Level(device="kitchen", rms_db=-20, peak_db=-10, at_ms=now_ms()))
    await expect(bar).to_have_attribute("style", "--level: 0.867;")
    await expect(bar).to_have_attribute("style", "--level: 0.000;")  # a level soon says nothing any more


async def test_a_new_owner_is_told_what_to_do(open_page: Open, page_hub: TestHub) -> None:
    watched = await open_page()
    await watched.open()
    main = watched.page.get_by_role("main")
    await expect(main).to_contain_text("minerva device add kitchen")
    page_hub.fleet.add(device(online=False))
    await expect(main).to_contain_text("Waiting for a device")
    page_hub.fleet.add(device(mute="button"))
    await expect(main).to_contain_text("Everything is muted")
    page_hub.fleet.add(device())
    await expect(main).to_contain_text("Say something in Kitchen")


async def test_what_is_loading_rough_or_broken_is_said(open_page: Open, page_hub: TestHub) -> None:
    watched = await open_page()
    await watched.open()
    notes = watched.page.get_by_role("complementary", name="Notes")
    await expect(notes).to_contain_text("No Whisper model on disk: offline recogniser, expect mistakes.")
    loading = msgspec.structs.replace(READY[1], state="loading")
    failed = msgspec.structs.replace(READY[2], state="error", reason="model.onnx is damaged")
    page_hub.bus.publish(
        HealthChanged(health=health(engines=(READY[0], loading, failed), warnings=("listening on 0.0.0.0",)))
    )
    await expect(notes).to_contain_text("The recogniser is loading")
    await expect(notes).to_contain_text("Speakers cannot be told apart. Model.onnx is damaged.")
    await expect(notes).to_contain_text("Listening on 0.0.0.0.")
    await notes.get_by_role("button", name="Hide: Listening").click()
    await expect(notes).not_to_contain_text("0.0.0.0")
    page_hub.bus.publish(HealthChanged(health=health(engines=READY[:1])))
    await expect(notes).to_be_hidden()


async def test_the_cf_voice_port_is_shown_and_who_speaks_through_it(
    open_page: Open, page_hub: TestHub
) -> None:
    voice = CfVoiceInfo(address="http://127.0.0.1:8487", allow=("192.168.7.0/24",))
    page_hub.current[0] = health(engines=READY[:1], cf_voice=voice)
    watched = await open_page()
    await watched.open()
    notes = watched.page.get_by_role("complementary", name="Notes")
    await expect(notes).to_contain_text(
        "this machine, 192.168.7.0/24 can bring sound to http://127.0.0.1:8487 without a password."
    )
    await expect(notes).not_to_contain_text("now, from")
    voice = msgspec.structs.replace(voice, listening=("192.168.7.9",))
    page_hub.bus.publish(HealthChanged(health=health(engines=READY[:1], cf_voice=voice)))
    await expect(notes).to_contain_text("Sound comes in through the cf-voice port now, from 192.168.7.9.")


async def test_an_interruption_is_said_and_nothing_is_lost(open_page: Open, page_hub: TestHub) -> None:
    page_hub.fleet.add(device())
    session = await page_hub.store.begin_session("kitchen", "Kitchen", now_ms())
    watched = await open_page()
    watched.expected = ["ERR_INTERNET_DISCONNECTED", "ERR_NETWORK", "ERR_INCOMPLETE", "Failed to load"]
    await watched.open()
    page = watched.page
    await page_hub.say(session.id, "Speaker A", "before")
    await expect(page.get_by_text("before")).to_be_visible()
    await page.context.set_offline(True)
    await page_hub.streams.stop(page_hub.client.app)  # type: ignore[arg-type]
    await expect(page.get_by_role("alert")).to_contain_text("The hub does not answer")
    await expect(page.get_by_role("status").filter(has_text="Reconnecting")).to_be_visible()
    await page_hub.say(session.id, "Speaker A", "meanwhile")
    await page.context.set_offline(False)
    await expect(page.get_by_text("meanwhile")).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(page.locator(".line")).to_have_count(2)
