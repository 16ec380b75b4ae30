"""Writes media.json and control.json; `--check` compares the committed files with what it would write.

Vectors marked `by: hand` were derived from docs/protocol.md without the codec and stand literally below.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from minerva import messages, wire

HERE = Path(__file__).parent


def hand_media() -> list[dict]:
    """One packet of each kind, byte by byte from the specification."""
    # pcm_s16le: kind 01, flags 01 (BEGINS), stream 00, frames 01, seq 1 = 01000000, time 20 ms = 14000000,
    # then 320 samples of -2 (fe ff).
    pcm = "01010001" + "01000000" + "14000000" + "feff" * 320
    # ima_adpcm: kind 02, flags 02 (ENDS), two frames, seq 0x40000000, time 2^30 + 1;
    # predictor -1000 (18 fc), step index 88 (58),
    # a zero, then 2 x 160 bytes.
    adpcm = "02020002" + "00000040" + "01000040" + "18fc5800" + "07" * 320
    # logmel_u8: kind 03, no flags, stream 5, ten frames, the last number and millisecond before they wrap.
    mel = "0300050a" + "ffffffff" + "ffffffff" + "".join(f"{i % 256:02x}" for i in range(640))
    return [
        {
            "name": "pcm, one frame of -2",
            "by": "hand",
            "hex": pcm,
            "kind": 1,
            "flags": 1,
            "stream": 0,
            "frames": 1,
            "seq": 1,
            "time_ms": 20,
            "duration_ms": 20,
        },
        {
            "name": "adpcm past 2^30",
            "by": "hand",
            "hex": adpcm,
            "kind": 2,
            "flags": 2,
            "stream": 0,
            "frames": 2,
            "seq": 1073741824,
            "time_ms": 1073741825,
            "duration_ms": 40,
        },
        {
            "name": "log-mel at both wraps",
            "by": "hand",
            "hex": mel,
            "kind": 3,
            "flags": 0,
            "stream": 5,
            "frames": 10,
            "seq": 4294967295,
            "time_ms": 4294967295,
            "duration_ms": 100,
        },
        {"name": "empty", "by": "hand", "hex": "", "error": "bad_media"},
        {"name": "header only", "by": "hand", "hex": "010000010000000000000000", "error": "bad_media"},
        {"name": "no frames", "by": "hand", "hex": "010000000000000000000000", "error": "bad_media"},
        {"name": "eleven frames", "by": "hand", "hex": "0100000b0000000000000000", "error": "bad_media"},
        {"name": "kind 0", "by": "hand", "hex": "000000010000000000000000", "error": "unknown_kind"},
        {"name": "kind 200", "by": "hand", "hex": "c80000010000000000000000", "error": "unknown_kind"},
        {"name": "undefined flag", "by": "hand", "hex": "03040001" + "00" * 72, "error": "bad_media"},
        {"name": "one byte too many", "by": "hand", "hex": "03000001" + "00" * 73, "error": "bad_media"},
        {"name": "beyond the limit", "by": "hand", "hex": "01" * 6413, "error": "too_long"},
    ]


def made_media() -> list[dict]:
    """Packets at every frame count and at the wraps, payload from a fixed recurrence."""
    out = []
    edges = [0, 1, (1 << 16) - 1, (1 << 30) - 1, 1 << 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
    state = 1
    for kind in wire.KIND_NAMES:
        for frames in (1, 3, wire.MAX_FRAMES):
            seq, time_ms = edges[state % 8], edges[(state // 8) % 8]
            payload = bytearray()
            for _ in range(wire.payload_size(kind, frames)):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                payload.append(state >> 16 & 0xFF)
            raw = wire.encode_media(kind, state & 3, state >> 4 & 255, frames, seq, time_ms, payload)
            out.append(
                {
                    "name": f"{wire.KIND_NAMES[kind]} x{frames}",
                    "by": "generator",
                    "hex": raw.hex(),
                    "kind": kind,
                    "flags": state & 3,
                    "stream": state >> 4 & 255,
                    "frames": frames,
                    "seq": seq,
                    "time_ms": time_ms,
                    "duration_ms": wire.duration_ms(kind, frames),
                }
            )
    return out


HELLO = {
    "type": "hello",
    "protocol": 1,
    "device": "kitchen",
    "token": "secret",
    "boot_id": "00112233445566ff",
    "time_ms": 4294967296,
    "firmware": {"name": "minerva", "version": "0.1.0", "variant": "micropython", "board": "virtual"},
    "slot": "a",
    "kinds": ["ima_adpcm", "pcm_s16le"],
    "modes": ["mute", "events", "speech", "full"],
    "mode": "speech",
    "ceiling": "full",
    "mute": "off",
}
WELCOME = {
    "type": "welcome",
    "protocol": 1,
    "hub": "hub-1",
    "utc_ms": 1700000000000,
    "mode": "speech",
    "mute": False,
    "kind": "ima_adpcm",
    "frames": 3,
    "resume": {"stream": 0, "seq": 4294967295},
}
HEALTH = {
    "type": "health",
    "n": 4294967295,
    "time_ms": 1073741824,
    "uptime_s": 1073741,
    "rssi": -61,
    "heap_free": 120000,
    "drops": {"overwritten": 0, "overrun": 3},
    "version": "0.1.0",
    "slot": "a",
    "mode": "speech",
    "mute": "button",
    "kind": "pcm_s16le",
    "noise_db": -71.5,
}
HELLO_WITH_FEATURES = {
    **HELLO,
    "kinds": ["ima_adpcm", "pcm_s16le", "logmel_u8"],
    "modes": list(wire.MODES),
    "mode": "features",
    "self_test": "00000000cafe1234",
}
ERROR = {"type": "error", "code": "bad_field", "message": "hello.device is missing", "fatal": True}
VALID = {
    "device": [
        HELLO,
        HELLO_WITH_FEATURES,
        {**HELLO, "self_test": None},
        HEALTH,
        {**HEALTH, "rssi": None, "noise_db": None},
        {"type": "level", "time_ms": 5, "rms_db": -60, "peak_db": -41.25},
        {
            "type": "event",
            "label": "loud_sound",
            "score": 0.5,
            "start_ms": 10,
            "end_ms": 30,
            "level_db": -20.0,
        },
        {"type": "mute", "state": "button"},
        {"type": "update", "state": "downloading", "version": "0.2.0", "progress": 40},
        ERROR,
        {**ERROR, "future": ["fields", "are", "ignored"]},
    ],
    "hub": [
        WELCOME,
        {**WELCOME, "resume": None},
        {"type": "config", "mode": "events"},
        {"type": "config", "kind": "pcm_s16le", "frames": 1},
        {"type": "ack", "stream": 0, "seq": 4294967295},
        {"type": "ack", "health": 7},
        {"type": "mute", "on": True},
        {"type": "play", "action": "start", "stream": 128, "kind": "pcm_s16le", "volume": 60},
        {"type": "update", "action": "check"},
        {**ERROR, "code": "unsupported_version", "supported": [1]},
    ],
}


def hand_control() -> list[dict]:
    """Texts written by hand: refusals, and one valid message each way."""

    def bad(name: str, side: str, text: str, error: str) -> dict:
        return {"name": name, "by": "hand", "from": side, "text": text, "error": error}

    return [
        {"name": "mute from the hub", "by": "hand", "from": "hub", "text": '{"type":"mute","on":false}'},
        {
            "name": "of a name that stands twice the last counts",
            "by": "hand",
            "from": "hub",
            "text": '{"type":"config","type":"mute","on":"no","on":true}',
        },
        {
            "name": "names and words may be escaped",
            "by": "hand",
            "from": "hub",
            "text": '{"\\u0074ype":"m\\u0075te","\\u006f\\u006E":true}',
        },
        {"name": "ack of a packet", "by": "hand", "from": "hub", "text": '{"type":"ack","stream":0,"seq":0}'},
        {
            "name": "mute from the device",
            "by": "hand",
            "from": "device",
            "text": '{"state":"off","type":"mute"}',
        },
        bad("not JSON", "device", "{", "bad_json"),
        bad("empty", "hub", "", "bad_json"),
        bad("a list", "device", "[]", "bad_json"),
        bad("a number", "hub", "1", "bad_json"),
        bad("no type", "device", "{}", "unknown_type"),
        bad("type is a number", "device", '{"type":1}', "unknown_type"),
        bad("unknown type", "hub", '{"type":"dance"}', "unknown_type"),
        bad("the hub's message from a device", "device", '{"type":"ack","seq":1}', "unknown_type"),
        bad("the device's message from a hub", "hub", '{"type":"hello"}', "unknown_type"),
        bad("hello of a later version", "device", '{"type":"hello","protocol":2}', "unsupported_version"),
        bad("welcome of a later version", "hub", '{"type":"welcome","protocol":9}', "unsupported_version"),
        bad("on is text", "hub", '{"type":"mute","on":"yes"}', "bad_field"),
        bad("on is missing", "hub", '{"type":"mute"}', "bad_field"),
        bad("on is null", "hub", '{"type":"mute","on":null}', "bad_field"),
        bad("on is null the second time", "hub", '{"type":"mute","on":true,"on":null}', "bad_field"),
        bad("seq is true", "hub", '{"type":"ack","seq":true}', "bad_field"),
        bad("seq below", "hub", '{"type":"ack","seq":-1}', "bad_field"),
        bad("seq beyond u32", "hub", '{"type":"ack","seq":4294967296}', "bad_field"),
        bad("seq with a fraction", "hub", '{"type":"ack","seq":1.5}', "bad_field"),
        bad("unknown mode", "hub", '{"type":"config","mode":"secret"}', "bad_field"),
        bad("level too high", "device", '{"type":"level","time_ms":1,"rms_db":51,"peak_db":0}', "bad_field"),
        bad("eleven frames", "hub", '{"type":"config","frames":11}', "bad_field"),
        bad("601 brackets", "hub", '{"type":"mute","on":' + "[" * 600 + "]" * 600 + "}", "bad_json"),
        bad("beyond 4096 bytes", "hub", '{"type":"mute","on":true,"pad":"' + "x" * 4096 + '"}', "too_long"),
    ]


def mutations() -> list[dict]:
    """For every required field of every valid message: missing, and of a wrong type; and empty lists."""
    out = [_refused("device", f"hello.{key} empty", {**HELLO, key: []}) for key in ("kinds", "modes")]
    for name, hash_ in (("short", "cafe"), ("long", "0" * 17), ("upper case", "00000000CAFE1234")):
        out.append(_refused("device", f"hello.self_test {name}", {**HELLO, "self_test": hash_}))
    for side, said in VALID.items():
        types = messages.FROM_DEVICE if side == "device" else messages.FROM_HUB
        for message in said:
            for field in types[message["type"]]:
                key = field.rstrip("?")
                wrong = {**message, key: {"never": "valid"} if key != "drops" else "x"}
                if key in ("firmware", "resume"):
                    wrong[key] = 3
                out.append(_refused(side, f"{message['type']}.{key} of a wrong type", wrong))
                if not field.endswith("?"):
                    lacking = {k: v for k, v in message.items() if k != key}
                    out.append(_refused(side, f"{message['type']}.{key} missing", lacking))
    unique = {(v["from"], v["text"]): v for v in out}
    return list(unique.values())


def _refused(side: str, name: str, message: dict) -> dict:
    text = json.dumps(message)
    return {"name": name, "by": "generator", "from": side, "text": text, "error": "bad_field"}


def control() -> list[dict]:
    valid = [
        {"name": m["type"], "by": "generator", "from": side, "text": json.dumps(m)}
        for side, said in VALID.items()
        for m in said
    ]
    return hand_control() + valid + mutations()


def files() -> dict[str, str]:
    media = hand_media() + made_media()
    return {
        name: json.dumps(vectors, indent=0) + "\n"
        for name, vectors in (("media.json", media), ("control.json", control()))
    }


def main() -> int:
    stale = []
    for name, text in files().items():
        path = HERE / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        print("stale vectors, run make_vectors.py:", ", ".join(stale), file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
