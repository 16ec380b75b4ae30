"""Section `errands`: talks of the updater with an update server, order by order.

A vector is what the device knew before (`running`: SHA-256 of the running manifest, or ""; `configured`;
`outcome`: [action, whether it stays, text] still to be told, or null; `told`: the action whose outcome was
told, or null), what the check of a release says (`verify`: bytes of its files, or [code, text]), and the
`steps`: at the time `at` (ms), with quiet or not, the device gives `order`, then is in `state`, and is told
what came of it.

Orders: [wait, ms], [get, path, most bytes], [send, method, path, JSON], [prepare], [fetch, first, last],
[install], [restart]. Told: [] (nothing, it was broken off), [answered, text], [filled, bytes that are there],
[installed], [failed, code, text, whether it may go well later, bytes that are there]. Whatever is drawn, it
is 10. They follow from docs/ota.md, "The device's updater".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

BASE = "/default/controller/v1/kitchen"
MANIFEST, SIGNATURE = "the manifest", "the signatures"
TOTAL = 100_000
SLEEP_MS = 60_000  # as the server says, a tenth more or less, of which nothing was drawn
# From 2 s on, each 1.6 times longer; nine tenths of that.
TROUBLE_MS = (1800, 2880, 4608, 7372, 11796, 18873, 30197, 48315, 77304)
NO_NETWORK = ["no_network", "the connection broke off", True]
Step = dict[str, Any]


def poll(deployment: int | None = None, cancel: int | None = None, config: bool = False) -> str:
    links = {}
    if deployment is not None:
        links["deploymentBase"] = {"href": f"https://hub{BASE}/deploymentBase/{deployment}?c=1"}
    if cancel is not None:
        links["cancelAction"] = {"href": f"https://hub{BASE}/cancelAction/{cancel}"}
    if config:
        links["configData"] = {"href": f"https://hub{BASE}/configData"}
    return json.dumps({"config": {"polling": {"sleep": "00:01:00"}}, "_links": links})


def deployment(action: int = 7, size: int = TOTAL, hashed: bool = True, **modes: str) -> str:
    texts = {"manifest.json": MANIFEST.encode(), "manifest.sig": SIGNATURE.encode(), "files.bin": b""}
    artifacts = []
    for name, text in texts.items():
        one: dict[str, Any] = {"filename": name, "size": size if name == "files.bin" else len(text)}
        if hashed and text:
            one["hashes"] = {"sha256": hashlib.sha256(text).hexdigest()}
        one["_links"] = {"download": {"href": f"{BASE}/softwaremodules/1/artifacts/{name}"}}
        artifacts.append(one)
    inside = {"download": "forced", "update": "forced"} | modes | {"chunks": [{"artifacts": artifacts}]}
    return json.dumps({"id": str(action), "deployment": inside})


def artifact(name: str) -> str:
    return f"{BASE}/softwaremodules/1/artifacts/{name}"


def feedback(
    action: int,
    execution: str,
    finished: str = "none",
    *details: str,
    cnt: int | None = None,
    kind: str = "deploymentBase",
) -> list[Any]:
    result: dict[str, Any] = {"finished": finished}
    if cnt is not None:
        result["progress"] = {"cnt": cnt, "of": TOTAL}
    status = {"execution": execution, "result": result, "details": list(details)}
    return ["send", "POST", f"{BASE}/{kind}/{action}/feedback", {"id": str(action), "status": status}]


class Talk:
    """Steps one after the other; the time goes on by what is waited for."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.now = 0
        self.state = "idle"

    def then(self, order: list[Any], told: list[Any], state: str | None = None, quiet: bool = True) -> Talk:
        self.state = state or self.state
        step = {"at": self.now, "quiet": quiet, "order": order, "state": self.state, "told": told}
        self.steps.append(step)
        return self

    def asked(self, answer: str, state: str = "checking") -> Talk:
        return self.then(["get", BASE, 4096], ["answered", answer], state)

    def looked(self, answer: str) -> Talk:
        """A poll between two ranges, which changes nothing of the state."""
        return self.then(["get", BASE, 4096], ["answered", answer])

    def said(self, told: list[Any], answer: list[Any] | None = None, state: str | None = None) -> Talk:
        return self.then(told, ["answered", ""] if answer is None else answer, state)

    def waits(self, ms: int, state: str | None = None) -> Talk:
        self.then(["wait", ms], [], state)
        self.now += ms
        return self

    def offered(self, action: int = 7, **changes: Any) -> Talk:
        """The deployment, which is accepted."""
        path = f"{BASE}/deploymentBase/{action}?c=1"
        self.then(["get", path, 8192], ["answered", deployment(action, **changes)], "downloading")
        return self.said(feedback(action, "proceeding"))

    def read(self) -> Talk:
        self.then(["get", artifact("manifest.json"), 16384], ["answered", MANIFEST])
        return self.then(["get", artifact("manifest.sig"), 16384], ["answered", SIGNATURE])

    def prepared(self, got: int = 0) -> Talk:
        return self.then(["prepare"], ["filled", got])

    def fetched(self, first: int, last: int) -> Talk:
        return self.then(["fetch", first, last], ["filled", last + 1])

    def refused(self, code: str, text: str, action: int = 7) -> Talk:
        """The server is told, and left alone until the next poll."""
        self.said(feedback(action, "closed", "failure", code, text), state="failed")
        return self.waits(SLEEP_MS, "idle")


def vector(name: str, talk: Talk, **before: object) -> dict[str, Any]:
    usual = {"running": "", "configured": True, "outcome": None, "told": None, "verify": TOTAL}
    return {"name": name, "by": "hand", **usual, **before, "steps": talk.steps}


def begun() -> Talk:
    """Asked, offered action 7, its manifest and signatures read."""
    return Talk().asked(poll(7)).offered().read()


def whole() -> list[dict[str, Any]]:
    config = ["send", "PUT", f"{BASE}/configData", {"mode": "merge", "data": {"board": "b1"}}]
    update = Talk().asked(poll(7, config=True)).said(config).offered().read().prepared().fetched(0, 65535)
    update.said(feedback(7, "proceeding", cnt=65536)).looked(poll(7)).fetched(65536, TOTAL - 1)
    update.looked(poll(7)).then(["install"], ["installed"], "installing").then(["restart"], [], "restarting")
    resumed = begun().prepared(40_000).fetched(40_000, TOTAL - 1).looked(poll(7))
    resumed.then(["install"], ["installed"], "installing").then(["restart"], [], "restarting")
    there = begun().prepared(TOTAL).looked(poll(7)).then(["install"], ["installed"], "installing")
    refusing = Talk().asked(poll(7, config=True))
    refusing.then(config, ["failed", "bad_answer", "the update server answers 405", False, 0]).offered()
    away = Talk().asked(poll(7, config=True)).then(config, ["failed", *NO_NETWORK, 0])
    away.waits(TROUBLE_MS[0], "idle").asked(poll(7, config=True)).said(config).offered()
    running = Talk().asked(poll(7)).offered()
    running.then(["get", artifact("manifest.json"), 16384], ["answered", MANIFEST])
    running.said(feedback(7, "closed", "success", "this release runs already")).asked(poll())
    running.waits(SLEEP_MS, "idle")
    return [
        vector("an update", update, configured=False),
        vector("an update that goes on", resumed),
        vector("an update of which all is there", there),
        vector("nothing to do", Talk().asked(poll(config=True)).waits(SLEEP_MS, "idle").asked(poll())),
        vector("a server that does not want to know what this is", refusing, configured=False),
        vector("a server that goes away before it knows", away, configured=False),
        vector("what runs already", running, running=hashlib.sha256(MANIFEST.encode()).hexdigest()),
        vector(
            "somebody speaks",
            Talk()
            .then(["wait", 1000], [], quiet=False)
            .asked(poll(7))
            .then(["wait", 1000], [], "downloading", quiet=False)
            .offered()
            .then(["get", artifact("manifest.json"), 16384], [])
            .read(),
        ),
    ]


def reports() -> list[dict[str, Any]]:
    kept = [5, True, "kept after its trial"]
    report = feedback(5, "closed", "success", "kept after its trial")
    later = Talk().then(report, ["failed", *NO_NETWORK, 0]).waits(TROUBLE_MS[0]).said(report).asked(poll())
    gone = Talk().then(report, ["failed", "bad_answer", "the update server answers 410", False, 0])
    late = Talk().said(report).asked(poll(cancel=9))
    cancelled = json.dumps({"id": "9", "cancelAction": {"stopId": "5"}})
    late.then(["get", f"{BASE}/cancelAction/9", 1024], ["answered", cancelled])
    late.said(feedback(9, "rejected", "none", "installed before it came", kind="cancelAction"))
    failed = feedback(5, "closed", "failure", "rolled back: the microphone gave nothing")
    return [
        vector("an outcome comes first", Talk().said(report).asked(poll()), outcome=kept),
        vector(
            "an outcome that is a failure",
            Talk().said(failed).asked(poll()),
            outcome=[5, False, "rolled back: the microphone gave nothing"],
        ),
        vector("an outcome is told until it is heard", later, outcome=kept),
        vector("an outcome that nobody wants", gone.waits(300_000).asked(poll()), outcome=kept),
        vector("a cancel that comes too late", late.waits(SLEEP_MS, "idle"), outcome=kept),
    ]


def stops() -> list[dict[str, Any]]:
    cancelled = json.dumps({"id": "9", "cancelAction": {"stopId": "7"}})
    between = begun().prepared().fetched(0, 65535).said(feedback(7, "proceeding", cnt=65536))
    between.looked(poll(cancel=9))
    between.then(["get", f"{BASE}/cancelAction/9", 1024], ["answered", cancelled])
    between.said(feedback(9, "closed", "success", kind="cancelAction")).waits(SLEEP_MS, "idle")
    last = begun().prepared(TOTAL).looked(poll(7, cancel=9))
    last.then(["get", f"{BASE}/cancelAction/9", 1024], ["answered", cancelled])
    other = begun().prepared().fetched(0, 65535).said(feedback(7, "proceeding", cnt=65536))
    other.looked(poll(8)).offered(8)
    ended = begun().prepared(TOTAL).looked(poll()).waits(SLEEP_MS, "idle")
    first = Talk().asked(poll(7, cancel=9))
    first.then(["get", f"{BASE}/cancelAction/9", 1024], ["answered", cancelled])
    first.said(feedback(9, "closed", "success", kind="cancelAction")).waits(SLEEP_MS, "idle")
    wrong = Talk().asked(poll(cancel=9))
    wrong.then(["get", f"{BASE}/cancelAction/9", 1024], ["answered", "{}"]).waits(SLEEP_MS, "idle")
    return [
        vector("a cancel between two ranges", between),
        vector("a cancel at the last moment", last),
        vector("a cancel before it began", first),
        vector("a cancel that is none", wrong),
        vector("another action takes its place", other),
        vector("the action is not offered any more", ended),
    ]


def refusals() -> list[dict[str, Any]]:
    get = ["get", f"{BASE}/deploymentBase/7?c=1", 8192]
    manifest = ["get", artifact("manifest.json"), 16384]
    signature = ["get", artifact("manifest.sig"), 16384]
    later = Talk().asked(poll(7)).then(get, ["answered", deployment(download="skip")], "downloading")
    wrong_id = Talk().asked(poll(7)).then(get, ["answered", deployment(8)], "downloading")
    wrong_id.refused("bad_answer", "deployment 8 where 7 was linked")
    gone = (
        Talk()
        .asked(poll(7))
        .then(get, ["failed", "bad_answer", "the update server answers 404", False, 0], "downloading")
    )
    no_thanks = Talk().asked(poll(7)).then(get, ["answered", deployment()], "downloading")
    no_thanks.then(
        feedback(7, "proceeding"), ["failed", "bad_answer", "the update server answers 410", False, 0]
    )
    size = Talk().asked(poll(7)).offered().then(manifest, ["answered", MANIFEST + "!"])
    hash_ = Talk().asked(poll(7)).offered().then(manifest, ["answered", MANIFEST.upper()])
    sig = Talk().asked(poll(7)).offered().then(manifest, ["answered", MANIFEST])
    sig.then(signature, ["answered", SIGNATURE.upper()])
    unhashed = Talk().asked(poll(7)).offered(hashed=False).then(manifest, ["answered", MANIFEST.upper()])
    total = Talk().asked(poll(7)).offered(size=TOTAL + 1).read()
    full = begun().then(["prepare"], ["failed", "no_space", "the image is too large", False, 0])
    range_ = begun().prepared().then(["fetch", 0, 65535], ["failed", "bad_range", "another range", False, 0])
    damaged = begun().prepared(TOTAL).looked(poll(7))
    damaged.then(["install"], ["failed", "bad_hash", "the image is another", False, TOTAL], "installing")
    deaf = begun().then(["prepare"], ["failed", "no_space", "full", False, 0])
    deaf.then(
        feedback(7, "closed", "failure", "no_space", "full"),
        ["failed", "bad_answer", "the update server answers 410", False, 0],
        "failed",
    )
    verified = ["wrong_board", "for other boards"]
    return [
        vector("not now", later.waits(SLEEP_MS, "idle")),
        vector("another action than was linked", wrong_id),
        vector("a deployment that is gone", gone.refused("bad_answer", "the update server answers 404")),
        vector(
            "a server that takes no feedback",
            no_thanks.refused("bad_answer", "the update server answers 410"),
        ),
        vector(
            "a manifest of another size",
            size.refused("bad_size", "manifest.json has 13 bytes; 12 were announced"),
        ),
        vector(
            "another manifest than was announced",
            hash_.refused("bad_hash", "manifest.json is not what was announced"),
        ),
        vector(
            "other signatures than were announced",
            sig.refused("bad_hash", "manifest.sig is not what was announced"),
        ),
        vector("no hash was announced", unhashed.then(signature, ["answered", SIGNATURE])),
        vector("a release that is refused", begun().refused(*verified), verify=verified),
        vector(
            "a bundle of another size",
            total.refused("bad_size", f"files.bin has {TOTAL + 1} bytes; the manifest's files {TOTAL}"),
        ),
        vector("the flash is full", full.refused("no_space", "the image is too large")),
        vector("another range than was asked for", range_.refused("bad_range", "another range")),
        vector("what lies there is damaged", damaged.refused("bad_hash", "the image is another")),
        vector("a server that does not hear of the failure", deaf.waits(SLEEP_MS, "idle")),
    ]


def troubles() -> list[dict[str, Any]]:
    polls = Talk()
    for ms in TROUBLE_MS[:3]:
        polls.then(["get", BASE, 4096], ["failed", *NO_NETWORK, 0], "checking").waits(ms, "idle")
    polls.asked(poll()).waits(SLEEP_MS, "idle")
    polls.then(["get", BASE, 4096], ["failed", *NO_NETWORK, 0], "checking").waits(TROUBLE_MS[0], "idle")
    nonsense = Talk().asked("[]").waits(TROUBLE_MS[0], "idle").asked(poll())
    tired = begun().prepared()
    for ms in TROUBLE_MS[:7]:
        tired.then(["fetch", 0, 65535], ["failed", *NO_NETWORK, 0]).waits(ms)
    tired.then(["fetch", 0, 65535], ["failed", *NO_NETWORK, 0]).refused(*NO_NETWORK[:2])
    slow = begun().prepared()
    for n, ms in enumerate(TROUBLE_MS):  # 1400 bytes each time: with the third it is a gain
        told = ["failed", "too_slow", "it trickles", True, 1400 * (n + 1)]
        slow.then(["fetch", 1400 * n, 1400 * n + 65535], told)
        slow.waits(ms)
    unended = begun().prepared(TOTAL - 10)
    unended.then(["fetch", TOTAL - 10, TOTAL - 1], ["failed", *NO_NETWORK, TOTAL]).waits(TROUBLE_MS[0])
    unended.looked(poll(7)).then(["install"], ["installed"], "installing")
    anew = begun().prepared(40_000)
    anew.then(["fetch", 40_000, TOTAL - 1], ["failed", "bad_hash", "it ends wrong", True, 0])
    anew.waits(TROUBLE_MS[0]).fetched(0, 65535)
    return [
        vector("a server that is away is asked later each time", polls),
        vector("a poll's answer that is none", nonsense),
        vector("eight times without any gain", tired),
        vector("a server that trickles, but gets on", slow),
        vector("a connection that breaks behind the last byte", unended),
        vector("what was begun before does not end well", anew),
    ]


def sections() -> dict[str, list[dict[str, Any]]]:
    return {"errands": whole() + reports() + stops() + refusals() + troubles()}
