"""hawkBit's DDI: what an update server's JSON says to do, and what is told to it. Pure.

Fields that are not named here are passed over, so that a server may say more. Of a link only the path is
taken: a device speaks to no other server than the one in its settings, whatever name that one gives itself.
"""

import json

from minerva.errors import UpdateError
from minerva.port import const
from minerva.strict_json import check_object

MAX_POLL = 4096  # bytes; hawkBit's has some 600
MAX_DEPLOYMENT = 8192  # hawkBit names each artifact's hashes and four links: about 900 bytes for each
MAX_CANCEL = 1024
_MAX_OPENINGS = const(600)  # brackets; a parser without that bound runs out of a small heap
_MAX_PATH = const(512)
MAX_ID = (1 << 63) - 1  # as hawkBit counts; of sizes too

_LEAST_SLEEP_S = const(30)
_MOST_SLEEP_S = const(24 * 3600)
USUAL_SLEEP_S = 300  # where the server says nothing of it
_JITTER_PERCENT = const(10)  # so that devices that were switched on together do not ask together

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
FILES = "files.bin"
_SKIP = "skip"  # of download or update: not now


def _bad(text: str):
    return UpdateError("bad_answer", text)


def _object(data: "bytes | bytearray", what: str, limit: int) -> dict:
    """The bytes of an answer -> the JSON object in it; UpdateError too_long, bad_answer."""
    if len(data) > limit:
        raise UpdateError("too_long", "%s has %d bytes; at most %d are read" % (what, len(data), limit))
    text = bytes(data)
    openings = text.count(b"[") + text.count(b"{")
    if openings > _MAX_OPENINGS:
        raise _bad("%s has %d brackets; the limit is %d" % (what, openings, _MAX_OPENINGS))
    try:
        check_object(text)
        return json.loads(text.decode())
    except (ValueError, RuntimeError) as e:
        raise _bad("%s is not one JSON object: %s" % (what, str(e)[:80]))


def _at(value, *names):
    """What stands at a path of names in nested objects; None where there is nothing."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def path_of(href, what: str) -> str:
    """The path, with its query, of a link; bad_answer when it is none."""
    text = href if isinstance(href, str) else ""
    for scheme in ("https://", "http://"):
        if text.startswith(scheme):
            _, slash, rest = text[len(scheme) :].partition("/")
            text = slash + rest
    text = text.partition("#")[0]
    if not text.startswith("/") or len(text) > _MAX_PATH or any([not "!" <= c <= "~" for c in text]):
        raise _bad("the link to %s is %s" % (what, repr(href)[:80]))
    return text


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 19 and all(["0" <= c <= "9" for c in text])


def _id(value, what: str) -> int:
    """An id, which is a decimal number as text or as a number."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if _is_number(text):
        number = int(text)
        if number <= MAX_ID:
            return number
    raise _bad("the id of %s is %s" % (what, repr(value)[:40]))


def _id_of(path: str, what: str) -> int:
    """The id that a link to an action ends with."""
    return _id(path.partition("?")[0].rpartition("/")[2], what)


def sleep_s(text) -> int:
    """`00:05:00` -> seconds, from 30 to 86400; what is no such time is taken for five minutes."""
    parts = text.split(":") if isinstance(text, str) and len(text) <= 9 else []
    if len(parts) != 3 or not all([_is_number(p) for p in parts]):
        return USUAL_SLEEP_S
    hours, minutes, seconds = [int(p) for p in parts]
    return max(_LEAST_SLEEP_S, min(_MOST_SLEEP_S, 3600 * hours + 60 * minutes + seconds))


def jittered_ms(seconds: int, random) -> int:
    """Milliseconds to sleep, up to a tenth more or less. `random(n)` gives 0 <= r < n."""
    percent = 100 - _JITTER_PERCENT + random(2 * _JITTER_PERCENT + 1)
    return max(_LEAST_SLEEP_S * 1000, seconds * 10 * percent)


class Poll:
    """What the base resource says: when to ask again, and the paths of what there is to do ("" for none)."""

    def __init__(self, sleep: int, deployment: str, cancel: str, config: str):
        self.sleep_s = sleep
        self.deployment = deployment
        self.cancel = cancel
        self.config = config
        self.action = _id_of(deployment, "the deployment") if deployment else None


def read_poll(data: "bytes | bytearray") -> Poll:
    """The answer to GET of the base resource."""
    value = _object(data, "the poll's answer", MAX_POLL)
    paths = []
    for name in ("deploymentBase", "cancelAction", "configData"):
        link = _at(value, "_links", name)
        paths.append("" if link is None else path_of(_at(link, "href"), name))
    return Poll(sleep_s(_at(value, "config", "polling", "sleep")), paths[0], paths[1], paths[2])


class Artifact:
    """A file to download: `path` on the server, `size` in bytes, `sha256` as hex or "" when not said."""

    def __init__(self, path: str, size: int, sha256: str):
        self.path = path
        self.size = size
        self.sha256 = sha256


class Deployment:
    """An action: `manifest`, `signature` and `files` are artifacts; `now` is False while it has to wait."""

    def __init__(self, action: int, now: bool, artifacts: dict):
        self.action = action
        self.now = now
        self.manifest: Artifact = artifacts[MANIFEST]
        self.signature: Artifact = artifacts[SIGNATURE]
        self.files: Artifact = artifacts[FILES]


def _artifact(value, name: str) -> Artifact:
    size = _at(value, "size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_ID:
        raise _bad("the size of %s is %s" % (name, repr(size)[:40]))
    # "download-http" is the same file without TLS, for those who ask for that; this device never does.
    href = _at(value, "_links", "download", "href") or _at(value, "_links", "download-http", "href")
    sha256 = _at(value, "hashes", "sha256")
    return Artifact(path_of(href, name), size, sha256 if isinstance(sha256, str) else "")


def read_deployment(data: "bytes | bytearray") -> Deployment:
    """The answer to GET of a deployment; bad_answer when it holds no release of Minerva."""
    value = _object(data, "the deployment", MAX_DEPLOYMENT)
    action = _id(_at(value, "id"), "the deployment")
    deployment = _at(value, "deployment")
    chunks = _at(deployment, "chunks")
    for chunk in chunks if isinstance(chunks, list) else []:
        found = {}
        artifacts = _at(chunk, "artifacts")
        for artifact in artifacts if isinstance(artifacts, list) else []:
            name = _at(artifact, "filename")
            if name in (MANIFEST, SIGNATURE, FILES):
                found[name] = _artifact(artifact, name)
        if len(found) == 3:
            now = _SKIP not in (_at(deployment, "download"), _at(deployment, "update"))
            return Deployment(action, now, found)
    raise _bad("deployment %d has no chunk with %s, %s and %s" % (action, MANIFEST, SIGNATURE, FILES))


def read_cancel(data: "bytes | bytearray", path: str) -> "tuple[int, int]":
    """The answer to GET of a cancel action -> (its id, which its feedback names; the action to stop)."""
    value = _object(data, "the cancel action", MAX_CANCEL)
    stop = _id(_at(value, "cancelAction", "stopId"), "the action to stop")
    own = _at(value, "id")
    return (_id_of(path, "the cancel action") if own is None else _id(own, "the cancel action")), stop


def feedback(
    action: int,
    execution: str,
    finished: str = "none",
    details: "tuple | list" = (),
    cnt: int = -1,
    of: int = 0,
) -> bytes:
    """The body that tells how an action stands.

    execution: proceeding, canceled, rejected, scheduled, resumed or closed; finished: none, success, failure.
    """
    result: dict = {"finished": finished}
    if cnt >= 0:
        result["progress"] = {"cnt": cnt, "of": of}
    status = {"execution": execution, "result": result, "details": [d[:512] for d in details]}
    return json.dumps({"id": str(action), "status": status}).encode()


def config_data(attributes: dict) -> bytes:
    """The body that tells what this device is: names and values, as text."""
    return json.dumps({"mode": "merge", "data": {k: str(attributes[k]) for k in attributes}}).encode()
