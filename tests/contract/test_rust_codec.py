"""The Rust codec against the Python one: the same answer to the same frames, and each reads the other's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minerva import messages, wire

ROOT = Path(__file__).parents[2]
TYPES: dict[str, Any] = {"device": messages.FROM_DEVICE, "hub": messages.FROM_HUB}
PLACES = {"score": 3}  # decimals that Rust keeps; levels have two

Codec = Callable[[str, bytes], str | bytes]
Rule = tuple[Any, ...]


@pytest.fixture(scope="module")
def rust() -> Iterator[Codec]:
    """`rust(what, frame)`: the frame as Rust writes it anew, or the code of its error."""
    if shutil.which("cargo") is None:
        pytest.skip("no cargo here: the Rust codec is not compared")
    build = ["cargo", "build", "--quiet", "--locked", "-p", "minerva-wire", "--example", "codec"]
    made = subprocess.run(
        [*build, "--message-format=json"],
        cwd=ROOT / "firmware_rs",
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    lines = [json.loads(line) for line in made.stdout.splitlines()]
    program = next(m["executable"] for m in lines if m.get("target", {}).get("name") == "codec")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        pipe_in, pipe_out = process.stdin, process.stdout

        def codec(what: str, frame: bytes) -> str | bytes:
            pipe_in.write(f"{what} {frame.hex()}\n")
            pipe_in.flush()
            word, _, rest = pipe_out.readline().strip().partition(" ")
            return bytes.fromhex(rest) if word == "ok" else word

        yield codec
        pipe_in.close()
        assert process.wait(timeout=10) == 0


def plain(fields: dict[str, Rule], message: dict[str, Any]) -> dict[str, Any]:
    """What a message says: the fields that the protocol names, without nulls, decimals as Rust keeps them."""
    out: dict[str, Any] = {}
    for name, rule in fields.items():
        key = name.rstrip("?")
        value = message.get(key)
        if value is None:
            continue
        if rule[0] == "num":
            # Half away from zero, as the device rounds; Python's round() goes to the even neighbour.
            scale = 10 ** PLACES.get(key, 2)
            value = int(abs(value) * scale + 0.5) * (1 if value >= 0 else -1) / scale
        out[key] = plain(rule[1], value) if rule[0] == "obj" else value
    return out


def same_answer(rust: Codec, side: str, text: str) -> None:
    """Both codecs refuse `text` with the same code, or take it for the same message."""
    answer = rust(side, text.encode())
    types = TYPES[side]
    try:
        message = messages.decode_message(text, types)
    except wire.WireError as e:
        assert answer == e.code, (text, e.message)
        return
    assert isinstance(answer, bytes), (text, answer)
    again = messages.decode_message(answer, types)
    assert again["type"] == message["type"]
    fields = types[message["type"]]
    assert plain(fields, again) == plain(fields, message), text


def value_of(rule: Rule) -> st.SearchStrategy[Any]:
    """Anything that a rule of the protocol allows."""
    kind = rule[0]
    if kind == "str":
        return st.text(max_size=rule[1]).filter(lambda s: len(s.encode()) <= rule[1])
    if kind == "id":
        return st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32)
    if kind == "hex":
        return st.text("0123456789abcdef", min_size=rule[1], max_size=rule[1])
    if kind == "int":
        return st.integers(rule[1], rule[2])
    if kind == "num":
        return st.integers(rule[1], rule[2]) | st.floats(rule[1], rule[2])
    if kind == "bool":
        return st.booleans()
    if kind == "enum":
        return st.sampled_from(rule[1])
    if kind == "list":
        least = rule[3] if len(rule) > 3 else 0
        return st.lists(value_of(rule[1]), min_size=least, max_size=rule[2])
    if kind == "map":
        return st.dictionaries(value_of(("str", 32)), value_of(rule[1]), max_size=rule[2])
    assert kind == "obj", rule
    return st.fixed_dictionaries({name: value_of(r) for name, r in rule[1].items()})


def message_of(kind: str, fields: dict[str, Rule]) -> st.SearchStrategy[dict[str, Any]]:
    needed = {name: value_of(rule) for name, rule in fields.items() if not name.endswith("?")}
    if "protocol" in needed:
        needed["protocol"] = st.just(wire.PROTOCOL)
    optional = {name.rstrip("?"): value_of(rule) for name, rule in fields.items() if name.endswith("?")}
    return st.fixed_dictionaries({"type": st.just(kind), **needed}, optional=optional)


valid = st.sampled_from([(side, kind) for side, types in TYPES.items() for kind in types]).flatmap(
    lambda which: st.tuples(st.just(which[0]), message_of(which[1], TYPES[which[0]][which[1]]))
)
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=8), inner, max_size=10),
    max_leaves=12,
)


def vectors(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / name).read_text())
    return found


def test_the_vectors(rust: Codec) -> None:
    for vector in vectors("control.json"):
        same_answer(rust, vector["from"], vector["text"])
    for vector in vectors("media.json"):
        raw = bytes.fromhex(vector["hex"])
        assert rust("media", raw) == vector.get("error", raw), vector["name"]


@settings(deadline=None)
@given(valid)
def test_whatever_the_protocol_allows(rust: Codec, given_: tuple[str, dict[str, Any]]) -> None:
    side, message = given_
    assert isinstance(rust(side, json.dumps(message).encode()), bytes)
    same_answer(rust, side, json.dumps(message))
    same_answer(rust, side, json.dumps(message, ensure_ascii=False, indent=1))


@settings(deadline=None)
@given(valid, st.data())
def test_a_field_that_is_something_else(
    rust: Codec, given_: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    side, message = given_
    key = data.draw(st.sampled_from(sorted(message)))
    message[key] = data.draw(anything)
    same_answer(rust, side, json.dumps(message))


@settings(deadline=None)
@given(valid, st.data())
def test_a_text_that_is_damaged(rust: Codec, given_: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    side, message = given_
    text = json.dumps(message)
    at = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.integers(0, 3))
    damage = data.draw(st.text('{}[]",:\\u0019.-+eE tfn\n\x00é', max_size=3))
    same_answer(rust, side, text[:at] + damage + text[at + cut :])


@settings(deadline=None)
@given(st.binary(max_size=wire.HEADER + 200))
def test_any_packet(rust: Codec, data: bytes) -> None:
    try:
        wire.decode_media(data)
    except wire.WireError as e:
        assert rust("media", data) == e.code
    else:
        assert rust("media", data) == data
