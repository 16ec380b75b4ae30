"""Seeds for the fuzzers, from tests/vectors/ and the settings that the device's tests know.

python3 firmware_rs/fuzz/seeds.py FOLDER     # FOLDER/TARGET/… and FOLDER/words.dict; standard library only
"""

from __future__ import annotations

import base64
import hashlib
import json
import runpy
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
SETTINGS_CHECKS = ROOT / "tests" / "device" / "on_device" / "settings_checks.py"
KEY = b"minerva's device"  # as minerva_fuzz::KEY
MAX_SEED = 8192  # one vector is beyond every limit, and longer than what a fuzzer should start from


def media() -> Iterator[bytes]:
    """Packets."""
    for vector in json.loads((VECTORS / "media.json").read_text()):
        yield bytes.fromhex(vector["hex"])


def control() -> Iterator[bytes]:
    """Messages of both directions."""
    for vector in json.loads((VECTORS / "control.json").read_text()):
        yield vector["text"].encode()


def link() -> Iterator[bytes]:
    """Steps as minerva_fuzz::link takes them."""
    vectors = json.loads((VECTORS / "control.json").read_text())
    texts = [v["text"] for v in vectors if v["from"] == "hub" and len(v["text"]) < 600]
    welcome = next(t for t in texts if '"welcome"' in t and '"resume"' in t)
    for text in texts:
        yield f"o\nt{text}".encode()
        yield f"o\nt{welcome}\nt{text}\np\nh\nt{text}\nl\no\nt{welcome}".encode()
    good = [
        v["text"] for v in vectors if v["from"] == "hub" and "error" not in v and '"welcome"' not in v["text"]
    ]
    yield b"o\nw\x03\x01\x01\x00\x07\nc\x01\x00\x00\x01\nm\x00\x00\x09\np\nm\x00\x00\x00\nh\nl\no\nw\x04\x01"
    yield "\n".join(["o", f"t{welcome}", *(f"t{text}" for text in good), "p", "b0123456789ab"]).encode()


def settings() -> Iterator[bytes]:
    """Settings that are taken, and all that are refused."""
    sys.path.insert(0, str(ROOT / "device"))
    checks = runpy.run_path(str(SETTINGS_CHECKS))
    yield checks["text"]({}).encode()
    wifi = {"ssid": "a", "password": "b"}
    yield checks["text"]({**checks["SECURE"], "gain_db": 30.5, "ring_bytes": 49152, "wifi": wifi}).encode()
    for changes, _ in checks["REFUSED"]:
        yield checks["text"](changes).encode()


def frame(opcode: int, payload: bytes, last: bool = True) -> bytes:
    """A frame of a server, which masks nothing."""
    size = len(payload)
    length = struct.pack("!B", size) if size < 126 else struct.pack("!BH", 126, size)
    return bytes([opcode | (0x80 if last else 0)]) + length + payload


def websocket() -> Iterator[bytes]:
    """How to cut the bytes, then a hub's answer to the request and frames; and answers that are none."""
    key = base64.b64encode(KEY)
    accept = base64.b64encode(
        hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    )
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept,
        b"Sec-WebSocket-Protocol: minerva.v1",
    ]
    answer = b"\r\n".join(lines) + b"\r\n\r\n"
    text = b'{"type":"mute","on":true}'
    frames = [
        frame(1, text),
        frame(9, b"ping"),
        frame(1, text[:5], last=False) + frame(9, b"") + frame(0, text[5:]),
        frame(2, next(media())),
        frame(8, struct.pack("!H", 1008) + b"unauthorized"),
        frame(1, b"x" * 4097),
        b"\xf1\x00",
        b"\x81\x80",
        b"\x82\x7f" + b"\xff" * 8,
        b"\x83\x00",
    ]
    for piece in (b"\x00", b"\x07", b"\xff"):
        yield piece + answer
        yield piece + b"".join([answer, *frames[:5]])
        for one in frames:
            yield piece + answer + one
        for i in range(len(lines)):
            yield piece + b"\r\n".join(lines[:i] + lines[i + 1 :]) + b"\r\n\r\n"
        yield piece + b"HTTP/1.1 404 Not Found\r\n\r\n"


def device() -> Iterator[bytes]:
    """A ceiling, then steps as minerva_fuzz::device takes them."""
    lasting = b"\xfa"  # a quarter of a second passes
    welcome, config = b"w\x03\x01\x02\x00\x07", b"c\x02\x00\x09\x01\x00"
    texts = [text for text in control() if len(text) < 256]
    for ceiling in (b"\x00", b"\x81", b"\x82", b"\x03", b"\x84"):
        start = ceiling + lasting + welcome + lasting * 4
        yield start + config + b"\xfa\xfap\xfap\xfa\xfal\xfa\xfa\xfa" + welcome + lasting
        yield start + b"s" + lasting * 8 + b"s" + lasting * 2
        yield start + b"m\x00\x00\x09\x00\x00" + lasting + b"m\x00\x00\x00\x00\x00" + lasting
        yield start + b"x\x02\x89\x00" + lasting + b"x\x04\x88\x02\x03\xe8" + lasting * 4
        yield start + b"b\x0c" + b"\x01" * 12 + lasting
    for text in texts:
        yield b"\x83" + lasting + b"t" + bytes([len(text)]) + text + lasting
        yield b"\x83" + lasting + welcome + b"t" + bytes([len(text)]) + text + lasting


def update() -> Iterator[bytes]:
    """Releases with their signatures, answers of HTTP, and JSON of an update server."""
    vectors = json.loads((VECTORS / "ota.json").read_text())
    for vector in vectors["manifests"][::8]:
        yield b"\x00" + f"{vector['manifest']}\n--\n{vector['sig']}".encode()
    for vector in vectors["keysets"]:
        yield b"\x00" + vector["keyset"].encode()
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    part = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-9/100\r\nContent-Length: 8\r\n\r\n01234567"
    )
    for piece in (0, 7, 63):
        yield bytes([4 * piece + 1]) + ok
        yield bytes([4 * piece + 1]) + chunks
        yield bytes([4 * piece + 2]) + part
    links = {
        name: {"href": f"https://hub/d/{name}/7"} for name in ("deploymentBase", "cancelAction", "configData")
    }
    yield b"\x03" + json.dumps({"config": {"polling": {"sleep": "00:05:00"}}, "_links": links}).encode()
    artifacts = [
        {
            "filename": name,
            "size": 5,
            "hashes": {"sha1": "", "md5": "", "sha256": ""},
            "_links": {"download": {"href": f"/a/{name}"}},
        }
        for name in ("manifest.json", "manifest.sig", "files.bin")
    ]
    deployment = {"download": "forced", "update": "skip", "chunks": [{"artifacts": artifacts}]}
    yield b"\x03" + json.dumps({"id": "7", "deployment": deployment}).encode()
    yield b"\x03" + json.dumps({"id": "9", "cancelAction": {"stopId": "7"}}).encode()


def words() -> list[str]:
    """Every name and short text of the messages and settings, for a fuzzer to put together."""
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            found.update(value)
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str):
            found.add(value)

    for text in [*control(), *settings()]:
        try:
            collect(json.loads(text))
        except ValueError:
            continue
    quoted = [json.dumps(word) for word in found if 0 < len(word) <= 24]
    others = ["true", "false", "null", "4294967295", "-1", "0.5", "1e3", "\\u", "\\ud83d\\ude00"]
    return sorted([*quoted, *others])


TARGETS = (media, control, link, settings, websocket, device, update)


def main() -> int:
    """Write them all."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for target in TARGETS:
        folder = Path(sys.argv[1]) / target.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(target()):
            (folder / f"{i:03}").write_bytes(seed[:MAX_SEED])
    # In libFuzzer's dictionaries a quote or backslash stands after a backslash.
    entries = [word.replace("\\", "\\\\").replace('"', '\\"') for word in words()]
    (Path(sys.argv[1]) / "words.dict").write_text("".join(f'"{entry}"\n' for entry in entries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
