"""What an update server says, and what it is told and asked for. Sections: ddi, ranges, sleeps, told.

A vector of `ddi` is an answer to GET (`kind`: poll, deployment or cancel; `path`: where a cancel action was)
and what is read from it, or `error`. Those `by: hand` are the examples of hawkBit's documentation, with
Minerva's files where a deployment needs them. One of `ranges` is what is missing of a bundle, [offset, size,
bytes there already] each, the most that one request asks for, and the requests. `told` has bodies that a
device sends (`kind`: feedback or config), as the JSON that they are; `sleeps` how long a device waits where a
number from 0 to 20 was drawn.
"""

from __future__ import annotations

import json
from typing import Any

BASE = "https://hawkbit.example/TENANT_ID/controller/v1/CONTROLLER_ID"
PATH = "/TENANT_ID/controller/v1/CONTROLLER_ID"
HASHES = {"sha1": "2d86c2a659e364e9abba49ea6ffcd53dd5559f05", "md5": "0d1b08c34858921bc7c662b228acb7ba"}
SHA256 = "a03b221c6c6eae7122ca51695d456d5222e524889136394944b2f9763b483615"
NAMES = ("manifest.json", "manifest.sig", "files.bin")
# From hawkBit's documentation of its Direct Device Integration API, the base resource.
POLL = {
    "config": {"polling": {"sleep": "12:00:00"}},
    "_links": {
        "deploymentBase": {"href": f"{BASE}/deploymentBase/5?c=-2129030598"},
        "installedBase": {"href": f"{BASE}/installedBase/4"},
        "configData": {"href": f"{BASE}/configData"},
    },
}
CANCEL = {"id": "11", "cancelAction": {"stopId": "11"}}


def artifact(name: str, **changes: object) -> dict[str, Any]:
    """As the documentation has them: hashes and four links."""
    links = {
        "download": f"{BASE}/softwaremodules/17/artifacts/{name}",
        "download-http": f"http://hawkbit.example{PATH}/softwaremodules/17/artifacts/{name}",
        "md5sum-http": f"http://hawkbit.example{PATH}/softwaremodules/17/artifacts/{name}.MD5SUM",
        "md5sum": f"{BASE}/softwaremodules/17/artifacts/{name}.MD5SUM",
    }
    return {
        "filename": name,
        "hashes": HASHES | {"sha256": SHA256},
        "size": 11,
        "_links": {key: {"href": href} for key, href in links.items()},
    } | changes


def deployment(artifacts: list[dict[str, Any]] | None = None, **changes: object) -> dict[str, Any]:
    """The documentation's deploymentBase, its chunk's files those of a release."""
    chunk = {
        "part": "bApp",
        "version": "1.0.62",
        "name": "oneApp",
        "artifacts": [artifact(name) for name in NAMES] if artifacts is None else artifacts,
        "metadata": [{"key": "aMetadataKey", "value": "Metadata value as defined in software module"}],
    }
    other = {"part": "os", "version": "1.0.79", "name": "oneOs", "artifacts": [artifact("binary.tgz")]}
    inside = {"download": "forced", "update": "forced", "maintenanceWindow": "available"}
    return {
        "id": "8",
        "deployment": inside | {"chunks": [other, chunk]} | changes,
        "actionHistory": {"status": "CANCELING", "messages": ["Update Server: cancel requested"]},
    }


def poll_gives(sleep_s: int, deployment: str = "", cancel: str = "", config: str = "", action: object = None):
    return {
        "sleep_s": sleep_s,
        "deployment": deployment,
        "cancel": cancel,
        "config": config,
        "action": action,
    }


def deployment_gives(action: int, now: bool) -> dict[str, Any]:
    return {
        "action": action,
        "now": now,
        "artifacts": {
            name: {"path": f"{PATH}/softwaremodules/17/artifacts/{name}", "size": 11, "sha256": SHA256}
            for name in NAMES
        },
    }


def vector(name: str, kind: str, text: object, by: str = "generator", **result: object) -> dict[str, Any]:
    written = text if isinstance(text, str) else json.dumps(text)
    return {"name": name, "by": by, "kind": kind, "text": written} | result


def with_links(**links: object) -> dict[str, Any]:
    return {"config": POLL["config"], "_links": links}


def sleeping(sleep: object) -> dict[str, Any]:
    return {"config": {"polling": {"sleep": sleep}}}


def polls() -> list[dict[str, Any]]:
    found = f"{PATH}/deploymentBase/5?c=-2129030598"
    cancel = {"href": f"{BASE}/cancelAction/11"}
    out = [
        vector(
            "poll: the documentation's",
            "poll",
            POLL,
            "hand",
            gives=poll_gives(43200, found, "", f"{PATH}/configData", 5),
        ),
        vector(
            "poll: a cancel action",
            "poll",
            with_links(cancelAction=cancel),
            "hand",
            gives=poll_gives(43200, cancel=f"{PATH}/cancelAction/11"),
        ),
        vector("poll: nothing said", "poll", {}, gives=poll_gives(300)),
        vector(
            "poll: unknown fields",
            "poll",
            POLL | {"x": [1, {"y": None}]},
            gives=poll_gives(43200, found, "", f"{PATH}/configData", 5),
        ),
        vector(
            "poll: a name that stands twice, escapes in names and texts",
            "poll",
            '{"config":{"polling":{"sleep":"01:00:00"}},"config":{"poll\\u0069ng":{"sleep":"00:0\\u0035:00"}},'
            '"_links":{"cancelAction":{"href":"\\/cancelAction\\/11"}}}',
            gives=poll_gives(300, cancel="/cancelAction/11"),
        ),
        vector(
            "poll: a long host and a fragment",
            "poll",
            with_links(cancelAction={"href": f"https://{'x' * 600}/c/11?a#{'y' * 600}"}),
            gives=poll_gives(43200, cancel="/c/11?a"),
        ),
        vector(
            "poll: a path of 512",
            "poll",
            with_links(configData={"href": f"{BASE[:23]}/{'x' * 511}"}),
            gives=poll_gives(43200, config=f"/{'x' * 511}"),
        ),
        vector(
            "poll: the largest action",
            "poll",
            with_links(deploymentBase={"href": f"{PATH}/deploymentBase/9223372036854775807"}),
            gives=poll_gives(43200, f"{PATH}/deploymentBase/9223372036854775807", action=2**63 - 1),
        ),
    ]
    for sleep, seconds in (
        ("00:00:30", 30),
        ("00:00:01", 30),
        ("00:05:00", 300),
        ("24:00:00", 86400),
        ("99:59:59", 86400),
        ("5", 300),
        ("00:05", 300),
        ("00:-5:00", 300),
        (None, 300),
        (7, 300),
    ):
        out.append(vector(f"poll: sleep {sleep}", "poll", sleeping(sleep), gives=poll_gives(seconds)))
    for name, href in (
        ("no link", 5),
        ("a relative link", "deploymentBase/5"),
        ("another scheme", "ftp://hawkbit.example/deploymentBase/5"),
        ("a space in a link", f"{BASE}/deployment Base/5"),
        ("a line end in a link", f"{BASE}/x\r\nHost: y/5"),
        ("a link without an id", f"{BASE}/deploymentBase/"),
        ("an id that is no number", f"{BASE}/deploymentBase/five"),
        ("an id beyond 2^63", f"{BASE}/deploymentBase/9223372036854775808"),
        ("a link of 600 characters", f"{BASE}/{'x' * 600}/5"),
        ("a path of 513", f"{BASE[:23]}/{'x' * 510}/5"),
        ("a link beyond ASCII", f"{BASE}/\u00e9/5"),
        ("half of a pair of surrogates in a link", f"{BASE}/\ud800/5"),
        ("a host without a path", "https://hawkbit.example"),
    ):
        text = with_links(deploymentBase={"href": href})
        out.append(vector(f"poll: {name}", "poll", text, error="bad_answer"))
    for name, text, code in (
        ("a list", "[]", "bad_answer"),
        ("no end", '{"config":{"polling":{"sleep":"00:05:00"}}', "bad_answer"),
        ("a page", "<html></html>", "bad_answer"),
        ("empty", "", "bad_answer"),
        ("too many brackets", '{"x":[' + "[]," * 600 + "[]]}", "bad_answer"),
        ("nested too deep", '{"x":' + "[" * 40 + "]" * 40 + "}", "bad_answer"),
        ("4097 bytes", "{}" + " " * 4095, "too_long"),
    ):
        out.append(vector(f"poll: {name}", "poll", text, error=code))
    return out


def deployments() -> list[dict[str, Any]]:
    good = deployment()
    number = dict(good, id=8)
    bare = [
        artifact(
            name,
            hashes={},
            _links={
                "download-http": {"href": f"http://hawkbit.example{PATH}/softwaremodules/17/artifacts/{name}"}
            },
        )
        for name in NAMES
    ]
    unhashed = deployment_gives(8, True)
    for one in unhashed["artifacts"].values():
        one["sha256"] = ""
    out = [
        vector(
            "deployment: the documentation's", "deployment", good, "hand", gives=deployment_gives(8, True)
        ),
        vector("deployment: a number for an id", "deployment", number, gives=deployment_gives(8, True)),
        vector(
            "deployment: attempt",
            "deployment",
            deployment(download="attempt", update="attempt"),
            gives=deployment_gives(8, True),
        ),
        vector(
            "deployment: download later",
            "deployment",
            deployment(download="skip"),
            gives=deployment_gives(8, False),
        ),
        vector(
            "deployment: outside the maintenance window",
            "deployment",
            deployment(update="skip", maintenanceWindow="unavailable"),
            gives=deployment_gives(8, False),
        ),
        vector("deployment: no hashes, plain link", "deployment", deployment(bare), gives=unhashed),
    ]
    for name, value in (
        ("no id", {k: v for k, v in good.items() if k != "id"}),
        ("an id that is none", dict(good, id="8a")),
        ("true for an id", dict(good, id=True)),
        ("a negative id", dict(good, id=-8)),
        ("no chunks", deployment(chunks=None)),
        ("chunks that are none", deployment(chunks=[7, {"artifacts": 8}])),
        ("a file missing", deployment([artifact(name) for name in NAMES[:2]])),
        ("a size that is none", deployment([artifact(name, size="11") for name in NAMES])),
        ("a negative size", deployment([artifact(name, size=-1) for name in NAMES])),
        ("a size beyond 2^63", deployment([artifact(name, size=2**63) for name in NAMES])),
        ("a size of 20 digits", deployment([artifact(name, size=10**19) for name in NAMES])),
        ("a size with a fraction", deployment([artifact(name, size=11.0) for name in NAMES])),
        ("true for a size", deployment([artifact(name, size=True) for name in NAMES])),
        ("no download link", deployment([artifact(name, _links={}) for name in NAMES])),
    ):
        out.append(vector(f"deployment: {name}", "deployment", value, error="bad_answer"))
    out.append(vector("deployment: 8193 bytes", "deployment", "{}" + " " * 8191, error="too_long"))
    return out


def cancels() -> list[dict[str, Any]]:
    path = f"{PATH}/cancelAction/11"
    return [
        vector(
            "cancel: the documentation's", "cancel", CANCEL, "hand", path=path, gives={"id": 11, "stop": 11}
        ),
        vector(
            "cancel: no id of its own",
            "cancel",
            {"cancelAction": {"stopId": "10"}},
            path=path,
            gives={"id": 11, "stop": 10},
        ),
        vector("cancel: no action", "cancel", {"id": "11"}, path=path, error="bad_answer"),
        vector(
            "cancel: an action that is none",
            "cancel",
            {"id": "11", "cancelAction": {"stopId": "x"}},
            path=path,
            error="bad_answer",
        ),
        vector("cancel: 1025 bytes", "cancel", "{}" + " " * 1023, path=path, error="too_long"),
    ]


def ranges() -> list[dict[str, Any]]:
    def one(name: str, missing: list[list[int]], most: int, asked: list[list[int]], by: str = "hand"):
        return {"name": name, "by": by, "missing": missing, "most": most, "ranges": asked}

    forty = [[1000 * n, 1000, 0] for n in range(40)]
    return [
        one("nothing", [], 65536, []),
        one("one file", [[5000, 300, 0]], 65536, [[5000, 5299]]),
        one("neighbours are one request", [[0, 10, 0], [10, 20, 0], [30, 5, 0]], 65536, [[0, 34]]),
        one("a gap parts them", [[0, 10, 0], [11, 20, 0]], 65536, [[0, 9], [11, 30]]),
        one("in the bundle's order", [[50, 10, 0], [0, 10, 0]], 65536, [[0, 9], [50, 59]]),
        one("the first was begun", [[100, 50, 30], [150, 50, 0]], 65536, [[130, 199]]),
        one("the second was begun", [[100, 50, 0], [150, 50, 30]], 65536, [[100, 149], [180, 199]]),
        one("one is there but for its check", [[100, 50, 50], [150, 50, 0]], 65536, [[150, 199]]),
        one("an empty file", [[100, 0, 0]], 65536, []),
        one("an empty file between two", [[0, 10, 0], [10, 0, 0], [10, 10, 0]], 65536, [[0, 19]]),
        one("exactly the most", [[0, 65536, 0]], 65536, [[0, 65535]]),
        one("one more than the most", [[0, 65537, 0]], 65536, [[0, 65535], [65536, 65536]]),
        one(
            "parted within a file",
            [[0, 100, 0], [100, 100, 0]],
            64,
            [[0, 63], [64, 127], [128, 191], [192, 199]],
        ),
        one("one byte", [[7, 1, 0]], 1, [[7, 7]]),
        one(
            "a whole image",
            [[0, 1200000, 0]],
            65536,
            [[n, min(n + 65536, 1200000) - 1] for n in range(0, 1200000, 65536)],
            "generator",
        ),
        one("an image goes on", [[0, 16777216, 16777000]], 65536, [[16777000, 16777215]]),
        one("forty files", forty, 65536, [[0, 39999]]),
        one(
            "every other of forty",
            forty[::2],
            65536,
            [[2000 * n, 2000 * n + 999] for n in range(20)],
            "generator",
        ),
    ]


def feedback(
    name: str,
    action: int,
    execution: str,
    finished: str = "none",
    details: tuple[str, ...] = (),
    progress: tuple[int, int] | None = None,
    by: str = "generator",
    said: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    result: dict[str, Any] = {"finished": finished}
    if progress is not None:
        result["progress"] = dict(zip(("cnt", "of"), progress, strict=True))
    status = {"execution": execution, "result": result, "details": list(details if said is None else said)}
    return {
        "name": f"feedback: {name}",
        "by": by,
        "kind": "feedback",
        "action": action,
        "execution": execution,
        "finished": finished,
        "details": list(details),
        "progress": progress,
        "json": {"id": str(action), "status": status},
    }


def told() -> list[dict[str, Any]]:
    def config(name: str, by: str, data: dict[str, str]) -> dict[str, Any]:
        body = {"mode": "merge", "data": data}
        return {"name": f"config: {name}", "by": by, "kind": "config", "attributes": data, "json": body}

    return [
        feedback("the documentation's", 5, "closed", "success", ("Feedback message",), by="hand"),
        feedback("the documentation's progress", 5, "proceeding", progress=(2, 5), by="hand"),
        feedback("the largest action", 2**63 - 1, "proceeding"),
        feedback("nothing of much", 5, "proceeding", progress=(0, 16_777_216)),
        feedback("a refusal", 5, "closed", "failure", ("bad_hash", 'a "quote" \\ and \n a line')),
        feedback("it is too late", 11, "rejected", details=("installed before it came",)),
        feedback(
            "texts of 600",
            5,
            "closed",
            "failure",
            ("x" * 600, "\u00e9" * 600),
            said=("x" * 512, "\u00e9" * 512),
        ),
        config("the documentation's", "hand", {"VIN": "JH4TB2H26CC000000", "hwRevision": "2"}),
        config("nothing", "generator", {}),
        config("what wants an escape", "generator", {"board": 'a "b"\n\\'}),
    ]


def sleeps() -> list[dict[str, Any]]:
    cases = (
        ("a tenth less", 300, 0, 270_000),
        ("as it is", 300, 10, 300_000),
        ("a tenth more", 300, 20, 330_000),
        ("never below thirty seconds", 30, 0, 30_000),
        ("a day and a tenth", 86_400, 20, 95_040_000),
    )
    names = ("name", "seconds", "drawn", "ms")
    return [{"by": "hand", **dict(zip(names, case, strict=True))} for case in cases]


def sections() -> dict[str, list[dict[str, Any]]]:
    return {
        "ddi": polls() + deployments() + cancels(),
        "ranges": ranges(),
        "sleeps": sleeps(),
        "told": told(),
    }
