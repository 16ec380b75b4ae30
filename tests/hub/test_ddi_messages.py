"""hawkBit's documented messages, retold: they are read, they are written, and what is unknown is let pass.

The shapes are those of hawkBit's DDI documentation (root controller API), the values are our own.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from minerva_hub.ddi import messages

ROOT = "https://update.example/DEFAULT/controller/v1/terrace-7"

POLLS = {
    "nothing to do": {"config": {"polling": {"sleep": "12:00:00"}}},
    "to be configured": {
        "config": {"polling": {"sleep": "00:10:00"}},
        "_links": {"configData": {"href": f"{ROOT}/configData"}},
    },
    "to be installed, with what is": {
        "config": {"polling": {"sleep": "12:00:00"}},
        "_links": {
            "deploymentBase": {"href": f"{ROOT}/deploymentBase/5?c=-2127183556"},
            "installedBase": {"href": f"{ROOT}/installedBase/4"},
            "configData": {"href": f"{ROOT}/configData"},
        },
    },
    "to be given up": {
        "config": {"polling": {"sleep": "12:00:00"}},
        "_links": {"cancelAction": {"href": f"{ROOT}/cancelAction/11"}},
    },
}

DEPLOYMENT = {
    "id": "8",
    "deployment": {
        "download": "forced",
        "update": "forced",
        "maintenanceWindow": "available",
        "chunks": [
            {
                "part": "jvm",
                "version": "1.0.62",
                "name": "oneapp runtime",
                "artifacts": [
                    {
                        "filename": "binary.tgz",
                        "hashes": {"md5": "0d1b08c3", "sha1": "3dceccec", "sha256": "69fa0ca4"},
                        "size": 13,
                        "_links": {
                            "download": {"href": f"{ROOT}/softwaremodules/17/artifacts/binary.tgz"},
                            "md5sum": {"href": f"{ROOT}/softwaremodules/17/artifacts/binary.tgz.MD5SUM"},
                            "download-http": {"href": "http://update.example/binary.tgz"},
                            "md5sum-http": {"href": "http://update.example/binary.tgz.MD5SUM"},
                        },
                    }
                ],
                "metadata": [{"key": "aMetadataKey", "value": "the value"}],
            },
            {"part": "bApp", "version": "1.0.96", "name": "oneapplication", "artifacts": []},
        ],
    },
    "actionHistory": {"status": "RUNNING", "messages": ["Reboot", "Write firmware", "Download done"]},
}

FEEDBACK: list[tuple[dict[str, Any], tuple[str, str, int | None, tuple[str, ...]]]] = [
    (
        {
            "id": "8",
            "time": "20140511T121314",
            "status": {
                "execution": "closed",
                "result": {"finished": "success", "progress": {}},
                "details": ["installed"],
            },
        },
        ("closed", "success", None, ("installed",)),
    ),
    (
        {
            "timestamp": 1627997501890,
            "status": {
                "execution": "proceeding",
                "result": {"finished": "none", "progress": {"cnt": 2, "of": 5}},
                "code": 200,
                "details": ["The update is being processed.", "One more line."],
            },
        },
        ("proceeding", "none", 40, ("The update is being processed.", "One more line.")),
    ),
    (
        {"status": {"execution": "closed", "result": {"finished": "failure"}, "details": None}},
        ("closed", "failure", None, ()),
    ),
    (
        {"status": {"execution": "rejected", "result": {"finished": "none"}, "details": ["not now"]}},
        ("rejected", "none", None, ("not now",)),
    ),
    (
        {"id": 8, "status": {"execution": "downloaded", "result": {"finished": "none", "progress": None}}},
        ("downloaded", "none", None, ()),
    ),
]


def known_only(value: Any, like: Any) -> Any:
    """`value` without what `like` does not have."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: known_only(one, like[name]) for name, one in value.items() if name in like}
    if isinstance(value, list) and isinstance(like, list):
        return [known_only(a, b) for a, b in zip(value, like, strict=True)]
    return value


@pytest.mark.parametrize("name", POLLS)
def test_polls(name: str) -> None:
    given = POLLS[name] | {"_links": POLLS[name].get("_links", {})}
    read = msgspec.json.decode(json.dumps(given | {"unknown": [1]}), type=messages.Base)
    assert json.loads(messages.encode(read)) == given


def test_a_deployment() -> None:
    read = msgspec.json.decode(json.dumps(DEPLOYMENT), type=messages.DeploymentBase)
    written = json.loads(messages.encode(read))
    assert written == known_only(DEPLOYMENT, written)
    assert [chunk.name for chunk in read.deployment.chunks] == ["oneapp runtime", "oneapplication"]
    (artifact,) = read.deployment.chunks[0].artifacts
    assert artifact.links.download_http is not None
    assert artifact.links.download_http.href == "http://update.example/binary.tgz"


def test_a_cancel() -> None:
    given = {"id": "11", "cancelAction": {"stopId": "11"}}
    read = msgspec.json.decode(json.dumps(given | {"more": {}}), type=messages.CancelAction)
    assert json.loads(messages.encode(read)) == given


@pytest.mark.parametrize(("given", "expected"), FEEDBACK)
def test_feedback(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    status = msgspec.json.decode(json.dumps(given), type=messages.ActionFeedback).status
    assert (status.execution, status.result.finished, status.percent, status.lines) == expected
    again = msgspec.json.decode(
        messages.encode(messages.ActionFeedback(status)), type=messages.ActionFeedback
    )
    assert again.status == status


def test_config_data() -> None:
    given = {
        "id": "",
        "time": "20140511T121314",
        "status": {"execution": "closed", "result": {"finished": "success"}},
        "mode": "merge",
        "data": {"VIN": "JH4TB2H26CC000000", "hwRevision": "2"},
    }
    read = msgspec.json.decode(json.dumps(given), type=messages.ConfigData)
    assert (read.mode, read.data) == ("merge", given["data"])
    assert msgspec.json.decode(b'{"data":{}}', type=messages.ConfigData).mode == "merge"
