"""The Python codec against tests/vectors/: whole, truncated at every byte, and there and back."""

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva import messages, wire

VECTORS = Path(__file__).parents[1] / "vectors"
MEDIA = json.loads((VECTORS / "media.json").read_text())
CONTROL = json.loads((VECTORS / "control.json").read_text())
TYPES = {"device": messages.FROM_DEVICE, "hub": messages.FROM_HUB}
NAMES = ("kind", "flags", "stream", "frames", "seq", "time_ms")


def test_the_committed_vectors_are_what_the_generator_makes() -> None:
    for name, text in runpy.run_path(str(VECTORS / "make_vectors.py"))["files"]().items():
        assert (VECTORS / name).read_text() == text, f"{name} is stale: run tests/vectors/make_vectors.py"


def test_every_kind_and_message_type_has_a_vector() -> None:
    hand = {v["kind"] for v in MEDIA if v["by"] == "hand" and "error" not in v}
    assert hand == set(wire.KIND_NAMES)
    for side, types in TYPES.items():
        seen = {json.loads(v["text"])["type"] for v in CONTROL if v["from"] == side and "error" not in v}
        assert seen == set(types)


@pytest.mark.parametrize("vector", MEDIA, ids=lambda v: v["name"])
def test_media(vector: dict) -> None:
    raw = bytes.fromhex(vector["hex"])
    if "error" in vector:
        with pytest.raises(wire.WireError) as caught:
            wire.decode_media(raw)
        assert caught.value.code == vector["error"]
        return
    *fields, payload = wire.decode_media(raw)
    assert dict(zip(NAMES, fields, strict=True)) == {name: vector[name] for name in NAMES}
    assert wire.duration_ms(vector["kind"], vector["frames"]) == vector["duration_ms"]
    assert wire.encode_media(*fields, payload) == raw
    for cut in range(len(raw)):
        with pytest.raises(wire.WireError) as caught:
            wire.decode_media(raw[:cut])
        assert caught.value.code == "bad_media"


@pytest.mark.parametrize("vector", CONTROL, ids=lambda v: f"{v['from']}: {v['name']}")
def test_control(vector: dict) -> None:
    types = TYPES[vector["from"]]
    if "error" in vector:
        with pytest.raises(wire.WireError) as caught:
            messages.decode_message(vector["text"], types)
        assert caught.value.code == vector["error"]
        return
    message = messages.decode_message(vector["text"], types)
    assert message == json.loads(vector["text"])
    assert messages.decode_message(messages.encode_message(message, types), types) == message
    for cut in range(len(vector["text"])):
        with pytest.raises(wire.WireError) as caught:
            messages.decode_message(vector["text"][:cut], types)
        assert caught.value.code == "bad_json"


@given(st.binary(max_size=wire.MAX_MEDIA + 8))
def test_any_bytes_are_a_packet_or_a_typed_error(data: bytes) -> None:
    try:
        wire.decode_media(data)
    except wire.WireError as e:
        assert e.code in messages.ERROR_CODES


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_object_is_a_message_or_a_typed_error(data: st.DataObject) -> None:
    side = data.draw(st.sampled_from(sorted(TYPES)))
    kind = data.draw(st.sampled_from(sorted(TYPES[side])))
    fields = [f.rstrip("?") for f in TYPES[side][kind]]
    message = {"type": kind, **{f: data.draw(_json) for f in fields}}
    try:
        messages.decode_message(json.dumps(message), TYPES[side])
    except wire.WireError as e:
        assert e.code in messages.ERROR_CODES


@pytest.mark.parametrize(
    ("a", "b", "want"),
    [
        (1, 0, 1),
        (0, 1, -1),
        (0, wire.U32, 1),
        (wire.U32, 0, -1),
        (1 << 30, (1 << 30) - 1, 1),
        (1 << 31, 0, -(1 << 31)),
        ((1 << 31) - 1, 0, (1 << 31) - 1),
        (5, (1 << 32) + 4, 1),
    ],
)
def test_serial_arithmetic(a: int, b: int, want: int) -> None:
    assert wire.serial_diff(a, b) == want


def test_deep_nesting_is_not_json_rather_than_a_crash() -> None:
    with pytest.raises(wire.WireError) as caught:
        messages.decode_message("[" * 4000, messages.FROM_DEVICE)
    assert caught.value.code == "bad_json"


@pytest.mark.parametrize(
    "data",
    [
        '{"type": "ack", "seq": NaN}',
        '{"type": "ack", "later": -Infinity}',
        b'{"type": "ack", "later": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"type": "ack"}',
        '{"type": "ack"}'.encode("utf-16"),
    ],
)
def test_what_only_pythons_parser_takes_is_not_json(data: str | bytes) -> None:
    with pytest.raises(wire.WireError) as caught:
        messages.decode_message(data, messages.FROM_HUB)
    assert caught.value.code == "bad_json"


def test_longest_hello_fits() -> None:
    hello = next(json.loads(v["text"]) for v in CONTROL if v["name"] == "hello" and "error" not in v)
    hello.update(device="x" * 32, token="t" * 128, time_ms=1 << 53, slot="s" * 16)
    hello["firmware"] = {k: "f" * 64 for k in hello["firmware"]}
    hello["kinds"] = ["pcm_s16le"] * 8
    hello["modes"] = ["features"] * 8
    assert len(messages.encode_message(hello, messages.FROM_DEVICE)) < wire.MAX_TEXT / 2
