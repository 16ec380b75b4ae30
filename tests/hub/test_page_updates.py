"""Updates on the page in Chromium: a real hub, releases that the tools signed, devices that speak DDI."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from minerva_hub.auth import hash_token
from minerva_hub.events import DeviceRecord
from minerva_hub.rollouts import Plan
from minerva_hub.web.login import PAGE
from network_peer import PASSWORD
from playwright.async_api import expect
from test_page_access import CONTRAST, ROLES, TOO_WIDE
from updating_house import House, Owner, files, updating_house
from watched_page import Watched

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with updating_house(tmp_path / "house") as found:
        yield found


@pytest.fixture
async def open_page(house: House, open_page: Open) -> Open:
    """Pages that close before the hub does: one that lost its hub says so on the console."""
    return open_page


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    return Owner(tmp_path)


async def look(open_page: Open, house: House, place: str = "updates", **options: Any) -> Watched:
    watched = await open_page(**options)
    watched.hub = SimpleNamespace(url=house.url)  # type: ignore[assignment]
    await watched.open(place)
    return watched


async def test_a_release_is_uploaded_and_rolled_out(open_page: Open, house: House, owner: Owner) -> None:
    await house.trust(owner)
    await house.peer.add_devices("d0", "d1", "d2", "d3")
    watched = await look(open_page, house)
    page = watched.page
    releases = page.get_by_role("region", name="Releases")
    await expect(releases).to_contain_text(f"signed by 1 of 1 key (key set 1): {owner.id}")
    upload = releases.get_by_role("form", name="Upload a release")
    button = upload.get_by_role("button", name="Upload", exact=True)
    await expect(button).to_be_disabled()
    await expect(page.get_by_role("button", name="Start a rollout…")).to_be_disabled()
    await upload.get_by_label("Upload a release").set_input_files(files(owner.release()))
    await button.click()
    await expect(upload.get_by_role("status")).to_contain_text("minerva 0.2.0 was checked and is kept.")
    row = releases.get_by_role("listitem", name="minerva 0.2.0")
    await expect(row).to_contain_text("Application for micropython on virtual")
    await expect(row).to_contain_text(f"Signed by {owner.id}")

    await row.get_by_role("button", name="Roll out minerva 0.2.0").click()
    form = page.get_by_role("form", name="Start a rollout")
    await expect(form.get_by_label("Release")).to_be_focused()
    await expect(form).to_contain_text("First 10 % of 4 devices, at least one, get it; when 75 % of these")
    await form.get_by_label("Who is first").select_option("A number of devices")
    await form.get_by_label("How many are first").fill("2")
    await expect(form).to_contain_text("First 2 devices get it")
    await form.get_by_role("button", name="Start the rollout").click()
    card = page.get_by_role("article", name="0.2.0 to all devices")
    await expect(card.get_by_role("heading")).to_be_focused()
    await expect(card).to_contain_text("Canaries of 2 devices: 2 offered")
    await expect(card).to_contain_text("Stage 2 of 2 devices: 2 waiting")
    await expect(row).to_contain_text("in 1 rollout")

    (rollout,) = await house.hub.store.updates.rollouts()
    states = await house.peer.states(rollout.id)
    canaries = [id_ for id_, state in states.items() if state == "offered"]
    action = await house.peer.take(canaries[0])
    await expect(card).to_contain_text("1 updating, 1 offered")
    await card.get_by_text("Its devices").click()
    await house.peer.say(canaries[0], action, "proceeding", cnt=1, of=4)
    await expect(card).to_contain_text(f"{canaries[0].title()} updating, 25 %")
    await house.peer.say(canaries[0], action, "closed", "success")
    await house.peer.update(canaries[1])
    await expect(card).to_contain_text("Stage 2 of 2 devices: 2 offered")
    for id_ in set(states) - set(canaries):
        await house.peer.update(id_)
    await expect(card).to_contain_text("Finished")
    await expect(card.get_by_role("button")).to_have_count(0)


async def test_what_the_hub_refuses_is_said_in_words(
    open_page: Open, house: House, owner: Owner, tmp_path: Path
) -> None:
    await house.trust(owner)
    watched = await look(open_page, house)
    watched.expected = ["422"]
    page = watched.page
    releases = page.get_by_role("region", name="Releases")
    chosen = releases.get_by_role("form").get_by_label("Upload a release")
    upload = releases.get_by_role("button", name="Upload", exact=True)
    alert = releases.get_by_role("form").get_by_role("alert")

    good = owner.release()
    await chosen.set_input_files(files(good)[:2])
    await expect(alert).to_have_text("manifest.json is missing.")
    await expect(upload).to_be_disabled()
    await chosen.set_input_files([*files(good)[:2], str(tmp_path / "owner.pub")])
    await expect(alert).to_have_text("manifest.json is missing. owner.pub: not a part of a release.")

    await chosen.set_input_files(files(Owner(tmp_path, "stranger").release("0.6.6")))
    await upload.click()
    await expect(alert).to_contain_text("Refused: it is signed by a key that is not trusted (unknown_key).")
    good.bundle.write_bytes(good.bundle.read_bytes().replace(b"hello", b"HELLO"))
    await chosen.set_input_files(files(good))
    await upload.click()
    await expect(alert).to_contain_text("Refused: a file is not the one that was signed (bad_hash).")
    # In another folder: a browser does not send a file that was changed after it was chosen.
    worse = type(good)(Path(shutil.copytree(good.folder, tmp_path / "worse")))
    worse.manifest.write_bytes(b'{"name":"<b>","version":"<img src=x>"}')
    await chosen.set_input_files(files(worse))
    await upload.click()
    await expect(alert).to_contain_text("(bad_manifest)")
    await releases.get_by_text("3 uploads refused").click()
    listed = releases.locator("details").get_by_role("listitem")
    await expect(listed).to_have_count(3)
    await expect(listed.nth(2)).to_contain_text("minerva 0.6.6: it is signed by a key that is not trusted")
    assert await page.locator("main img").count() == 0


async def test_from_the_network_only_for_who_is_logged_in(
    open_page: Open, owner: Owner, tmp_path: Path
) -> None:
    async with updating_house(tmp_path / "network", tls=True) as house:
        await house.trust(owner)
        async with house.session.post("/api/owner/password", json={"password": PASSWORD}) as response:
            assert response.status == 204
        watched = await open_page(ignore_https_errors=True)
        watched.hub = SimpleNamespace(url=house.hub.tls_address)  # type: ignore[assignment]
        watched.expected = ["status of 401", "ERR_INCOMPLETE"]
        page = watched.page
        await page.goto(f"{house.hub.tls_address}/#/updates")
        await page.get_by_label("The owner's password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#link[data-up=true]")
        await page.goto(f"{house.hub.tls_address}/#/updates")
        form = page.get_by_role("form", name="Upload a release")
        upload = form.get_by_role("button", name="Upload", exact=True)
        await form.get_by_label("Upload a release").set_input_files(files(owner.release()))
        await upload.click()
        await expect(page.get_by_role("listitem", name="minerva 0.2.0")).to_be_visible()

        await form.get_by_label("Upload a release").set_input_files(files(owner.release("0.3.0")))
        async with house.session.post("/api/owner/password", json={"password": PASSWORD + "!"}) as response:
            assert response.status == 204  # which ends all logins
        await expect(page.get_by_label("The owner's password")).to_be_visible()
        assert [one.version for one in await house.hub.store.updates.releases()] == ["0.2.0"]
        await page.goto("about:blank")  # before the hub ends


async def test_files_are_dropped(open_page: Open, house: House, owner: Owner) -> None:
    await house.trust(owner)
    watched = await look(open_page, house)
    page = watched.page
    made = owner.release()
    parts = [[path.name, path.read_text()] for path in (made.bundle, made.manifest, made.signature)]
    transfer = await page.evaluate_handle(
        """(parts) => {
          const transfer = new DataTransfer();
          for (const [name, text] of parts) transfer.items.add(new File([text], name));
          return transfer;
        }""",
        parts,
    )
    form = page.get_by_role("form", name="Upload a release")
    await form.dispatch_event("dragover", {"dataTransfer": transfer})
    await expect(form).to_have_attribute("data-over", "")
    await form.dispatch_event("drop", {"dataTransfer": transfer})
    await expect(form).not_to_have_attribute("data-over", "")
    await form.get_by_role("button", name="Upload", exact=True).click()
    await expect(page.get_by_role("listitem", name="minerva 0.2.0")).to_be_visible()


async def test_a_failing_device_stops_the_rollout_and_says_why(
    open_page: Open, house: House, owner: Owner
) -> None:
    await house.trust(owner)
    await house.peer.add_devices("d0", "d1", "d2")
    rollout = await house.start(await house.publish(owner.release()), canary_count=1)
    watched = await look(open_page, house)
    page = watched.page
    card = page.get_by_role("article", name="0.2.0 to all devices")
    await expect(card).to_contain_text("Canaries of 1 device: 1 offered")
    states = await house.peer.states(rollout)
    (canary,) = [id_ for id_, state in states.items() if state == "offered"]
    action = await house.peer.take(canary)
    await house.peer.say(canary, action, "closed", "failure", details=["wrong_board", HOSTILE])
    await expect(card).to_contain_text("Stopped: too many devices failed")
    failed = card.get_by_role("list", name="Devices that failed")
    await expect(failed).to_contain_text(f"{canary.title()} failed")
    await expect(failed).to_contain_text(HOSTILE)
    assert await page.locator("main img").count() == 0

    await watched.open("devices")
    device = page.get_by_role("article", name=canary.title())
    await expect(device).to_contain_text("Update to 0.2.0: failed")
    await device.get_by_text("Updates of this device").click()
    history = device.get_by_role("list", name="What the device said of 0.2.0")
    await expect(history).to_contain_text("failed · It is for other boards (wrong_board). · " + HOSTILE)
    assert await page.locator("main img").count() == 0
    await expect(page.get_by_role("article", name=HOSTILE)).to_have_count(0)


async def test_pause_resume_and_emergency_stop_by_keyboard(
    open_page: Open, house: House, owner: Owner
) -> None:
    await house.trust(owner)
    await house.peer.add_devices("d0", "d1", "d2", "d3")
    rollout = await house.start(await house.publish(owner.release()), canary_count=2)
    watched = await look(open_page, house)
    page = watched.page
    card = page.get_by_role("article", name="0.2.0 to all devices")
    pause = card.get_by_role("button", name="Pause the rollout of 0.2.0")
    await pause.focus()
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("Paused: the owner paused it")
    assert (await house.peer.rollout(rollout)).state == "paused"
    await expect(card.get_by_role("button", name="Resume the rollout of 0.2.0")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("Running")
    await page.keyboard.press("Tab")
    stop = card.get_by_role("button", name="Emergency stop of the rollout of 0.2.0")
    await expect(stop).to_be_focused()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop the rollout of 0.2.0 for good?")
    await expect(dialog.get_by_role("button", name="Let it go on")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(stop).to_be_focused()
    assert (await house.peer.rollout(rollout)).state == "running"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("Stopped: the owner stopped it")
    await expect(card.get_by_role("heading")).to_be_focused()
    assert set((await house.peer.states(rollout)).values()) == {"canceled"}


async def test_groups_are_made_changed_used_and_forgotten(
    open_page: Open, house: House, owner: Owner
) -> None:
    await house.trust(owner)
    await house.peer.add_devices("attic", "cellar", "hall")
    await house.publish(owner.release())
    watched = await look(open_page, house)
    page = watched.page
    groups = page.get_by_role("region", name="Groups")
    await groups.get_by_role("button", name="New group…").click()
    await page.keyboard.type("Lab One")
    await groups.get_by_label("Attic").check()
    await groups.get_by_role("button", name="Keep this group").click()
    await expect(groups.get_by_label("Name of the group")).to_be_focused()  # the browser refuses the name
    await groups.get_by_label("Name of the group").fill("lab")
    await groups.get_by_label("Cellar").check()
    await groups.get_by_role("button", name="Keep this group").click()
    await expect(groups.get_by_role("listitem").filter(has_text="lab")).to_contain_text("Attic, Cellar")
    await groups.get_by_role("button", name="Change the group lab").click()
    await expect(groups.get_by_label("Cellar")).to_be_checked()
    await groups.get_by_label("Cellar").uncheck()
    await page.keyboard.press("Enter")
    await expect(groups.get_by_role("listitem").filter(has_text="lab")).not_to_contain_text("Cellar")

    await page.get_by_role("button", name="Start a rollout…").click()
    form = page.get_by_role("form", name="Start a rollout")
    await form.get_by_label("Who is first").select_option("A group")
    await form.get_by_label("To", exact=True).select_option("Devices by name")
    await form.get_by_role("button", name="Start the rollout").click()
    await expect(form.get_by_role("alert")).to_have_text("Tick at least one device.")
    await form.get_by_label("Attic").check()
    await form.get_by_label("Hall").check()
    await expect(form).to_contain_text("First the group lab gets it")
    await form.get_by_role("button", name="Start the rollout").click()
    card = page.get_by_role("article", name="0.2.0 to attic, hall")
    await expect(card).to_contain_text("Canaries of 1 device: 1 offered")
    (rollout,) = await house.hub.store.updates.rollouts()
    assert await house.peer.states(rollout.id) == {"attic": "offered", "hall": "planned"}

    await groups.get_by_role("button", name="Forget the group lab").click()
    await page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    await expect(groups.get_by_text("lab", exact=True)).to_have_count(0)
    assert await house.hub.store.updates.groups() == []


async def test_a_bundle_that_is_refused_while_it_is_sent(
    open_page: Open, house: House, owner: Owner, tmp_path: Path
) -> None:
    """The hub answers after the manifest, and reads no further."""
    await house.trust(owner)
    watched = await look(open_page, house)
    watched.expected = ["422"]
    form = watched.page.get_by_role("form", name="Upload a release")
    stranger = Owner(tmp_path, "stranger").release()
    stranger.bundle.write_bytes(bytes(12 << 20))
    await form.get_by_label("Upload a release").set_input_files(files(stranger))
    await expect(form.get_by_role("status")).to_contain_text("files.bin, 12.0 MB")
    await form.get_by_role("button", name="Upload", exact=True).click()
    await expect(form.get_by_role("alert")).to_contain_text("(unknown_key)")
    await expect(form.get_by_role("button", name="Upload", exact=True)).to_be_focused()


async def test_an_update_as_it_goes_on_a_devices_card(open_page: Open, house: House) -> None:
    await house.peer.add_devices("kitchen", "study")
    maker = await house.link("kitchen", slot="dev")
    other = await house.link("study", slot="b")
    watched = await look(open_page, house, "devices")
    card = watched.page.get_by_role("article", name="Kitchen")
    await expect(card).to_contain_text("dev unsigned")
    await expect(card).to_contain_text("minerva 0.1.0, test")
    study = watched.page.get_by_role("article", name="Study")
    await expect(study.get_by_text("unsigned")).to_have_count(0)
    bar = card.get_by_role("progressbar", name="Progress of the update")
    await expect(bar).to_have_count(0)
    await maker.say({"type": "update", "state": "downloading", "version": "0.2.0", "progress": 40})
    await expect(card).to_contain_text("Update to 0.2.0: downloading, 40 %")
    assert await bar.evaluate("(one) => one.value") == 40
    for state, words in (
        ({"state": "trial"}, "on trial: it must hear, and reach the hub"),
        ({"state": "rolled_back"}, "rolled back"),
        ({"state": "failed", "code": "no_space"}, "There is no room for it (no_space)."),
        ({"state": HOSTILE, "code": "other"}, HOSTILE),
    ):
        await maker.say({"type": "update", "version": "0.2.0", **state})
        await expect(card).to_contain_text(words)
    await expect(bar).to_have_count(0)
    await maker.say({"type": "update", "state": "idle"})
    await expect(card).not_to_contain_text("Update to")
    await card.get_by_text("Updates of this device").click()
    await expect(card).to_contain_text("None yet.")
    for link in (maker, other):
        await link.ws.close()


async def furnish(house: House, owner: Owner, folder: Path) -> None:
    """Rollouts that stopped and that run, a device left out, a refused upload, a group; hostile names."""
    await house.trust(owner)
    await house.peer.add_devices("attic", "hall", "study", "grandmothers-reading-and-embroidery")
    hostile = DeviceRecord(id="hostile", room=HOSTILE, token_hash=hash_token("token-hostile"), created_ms=0)
    await house.hub.store.add_device(hostile)
    await house.hub.fleet.refresh()
    other = await house.link("study")  # its variant is another one, so it is left out
    first = await house.start(await house.publish(owner.release()), canary_percent=100)
    failing = await house.peer.take("hostile")
    assert await house.peer.say("hostile", failing, "closed", "failure", details=[HOSTILE, "x" * 400]) == 200
    assert (await house.peer.rollout(first)).state == "stopped"
    await house.start(await house.publish(owner.release("0.3.0-rc.1+build.20261122")))
    with pytest.raises(AssertionError, match="unknown_key"):
        await house.publish(Owner(folder, "stranger").release())
    members = {"devices": ["attic", "hostile"]}
    async with house.session.put("/api/groups/upstairs-and-elsewhere-as-well-0", json=members) as response:
        assert response.status == 200
    await other.ws.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_for_everybody(
    open_page: Open, house: House, owner: Owner, tmp_path: Path, scheme: str
) -> None:
    """360 pixels, contrast, names for screen readers, hostile names inert; with all that opens open."""
    await furnish(house, owner, tmp_path)
    watched = await look(open_page, house, width=360, height=740, color_scheme=scheme)
    page = watched.page
    stopped = page.get_by_role("article", name="0.2.0 to all devices")
    await expect(stopped.get_by_role("list", name="Devices that failed")).to_contain_text(f"{HOSTILE} failed")
    for summary in await page.locator("summary:visible").all():
        await summary.click()
    await expect(stopped).to_contain_text("runs test; the release is for micropython")
    await page.get_by_role("button", name="Start a rollout…").click()
    await page.get_by_label("To", exact=True).select_option("Devices by name")
    await page.get_by_role("button", name="Change the group upstairs").click()
    await expect(page.get_by_role("checkbox", name=HOSTILE)).to_have_count(2)
    assert await page.evaluate(TOO_WIDE) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") == 360
    assert await page.evaluate(CONTRAST) == []
    tree = await page.locator("body").aria_snapshot()
    roles = [*ROLES, "form", "spinbutton", "progressbar", "status"]
    assert [one for one in tree.splitlines() if one.strip(" -:") in roles] == [], tree
    assert await page.locator("main img").count() == 0


async def test_a_rollout_is_started_by_keyboard_alone(open_page: Open, house: House, owner: Owner) -> None:
    await house.trust(owner)
    await house.peer.add_devices("d0", "d1")
    await house.publish(owner.release())
    watched = await look(open_page, house)
    page = watched.page
    start = page.get_by_role("button", name="Start a rollout…")
    await expect(start).to_be_enabled()
    await start.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Release", exact=True)).to_be_focused()
    for key in ("Tab", "Tab", "Tab", "5", "0", "Enter"):  # release, to, who is first, their share
        await page.keyboard.press(key)
    await expect(page.get_by_role("article", name="0.2.0 to all devices")).to_contain_text(
        "Canaries of 1 device: 1 offered"
    )


async def test_the_focus_stays_when_somebody_else_publishes(
    open_page: Open, house: House, owner: Owner
) -> None:
    await house.trust(owner)
    await house.peer.add_devices("d0")
    await house.publish(owner.release())
    watched = await look(open_page, house)
    page = watched.page
    button = page.get_by_role("button", name="Roll out minerva 0.2.0")
    await button.focus()
    await house.publish(owner.release("0.3.0"))
    await expect(page.get_by_role("listitem", name="minerva 0.3.0")).to_be_visible()
    await expect(button).to_be_focused()


async def test_what_the_hub_says_to_a_wish_is_shown(open_page: Open, house: House, owner: Owner) -> None:
    """Somebody else was faster, or a rollout needs the release."""
    await house.trust(owner)
    await house.peer.add_devices("d0", "d1")
    await house.start(await house.publish(owner.release()))
    watched = await look(open_page, house)
    watched.expected = ["409"]
    page = watched.page
    await page.get_by_role("button", name="Delete minerva 0.2.0").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    releases = page.get_by_role("region", name="Releases")
    await expect(releases.get_by_role("alert").filter(has_text="uses release")).to_be_visible()
    await page.get_by_role("button", name="Emergency stop of the rollout").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop it now").click()
    await expect(page.get_by_role("article")).to_contain_text("Stopped")
    await page.get_by_role("button", name="Delete minerva 0.2.0").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("listitem", name="minerva 0.2.0")).to_have_count(0)
    await expect(page.get_by_role("article")).to_have_count(0)
    await expect(page.get_by_role("button", name="Start a rollout…")).to_be_disabled()


def test_the_form_begins_with_the_hubs_own_defaults() -> None:
    script = (PAGE / "js" / "rollout_form.js").read_text()
    found = {
        name: int(value) for name, value in re.findall(r"^const ([A-Z_]+)_PERCENT = (\d+);", script, re.M)
    }
    plan = Plan()
    assert found == {
        "CANARY": plan.canary_percent, "SUCCESS": plan.success_percent, "ERROR": plan.error_percent
    }  # fmt: skip
