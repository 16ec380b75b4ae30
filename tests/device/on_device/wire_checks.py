import json
import sys

from minerva import messages, strict_json, wire
from minerva.strict_json import MAX_DEPTH

TYPES = {"device": messages.FROM_DEVICE, "hub": messages.FROM_HUB}
NAMES = ("kind", "flags", "stream", "frames", "seq", "time_ms")


def vectors(name):
    """The vectors one by one: a line is a field, so that a small heap never holds the file."""
    count = 0
    with open(sys.argv[1] + "/../../vectors/" + name) as lines:
        held = ""
        for line in lines:
            line = line.strip()
            if line in ("[", "]"):
                continue
            if line in ("}", "},"):
                count += 1
                yield json.loads(held + "}")
                held = ""
            else:
                held += line
    assert count > 20 and not held, (name, count)


def refusal(decode, *arguments):
    """The code of the WireError that it raises; None when it is accepted."""
    try:
        decode(*arguments)
    except wire.WireError as e:
        return e.code
    return None


def check_media_vectors():
    for vector in vectors("media.json"):
        raw = bytes.fromhex(vector["hex"])
        if "error" in vector:
            assert refusal(wire.decode_media, raw) == vector["error"], vector["name"]
            continue
        got = wire.decode_media(raw)
        assert [vector[n] for n in NAMES] == list(got[:6]), vector["name"]
        assert wire.duration_ms(got[0], got[3]) == vector["duration_ms"]
        assert wire.encode_media(*got) == raw, vector["name"]


def check_media_cut_at_every_byte():
    for vector in vectors("media.json"):
        if "error" in vector:
            continue
        raw = memoryview(bytes.fromhex(vector["hex"]))
        for cut in range(len(raw)):
            assert refusal(wire.decode_media, raw[:cut]) == "bad_media", (vector["name"], cut)


def check_control_vectors():
    for vector in vectors("control.json"):
        types = TYPES[vector["from"]]
        for data in (vector["text"], vector["text"].encode()):
            if "error" in vector:
                code = refusal(messages.decode_message, data, types)
                assert code == vector["error"], (vector["name"], code)
                continue
            message = messages.decode_message(data, types)
            assert message == json.loads(vector["text"]), vector["name"]
            again = messages.encode_message(message, types)
            assert messages.decode_message(again, types) == message, vector["name"]


def check_control_cut_at_every_byte():
    for vector in vectors("control.json"):
        if "error" in vector:
            continue
        text = vector["text"]
        for cut in range(len(text)):
            code = refusal(messages.decode_message, text[:cut], TYPES[vector["from"]])
            assert code == "bad_json", (vector["name"], cut, code)


BROKEN = (
    b"",
    b" ",
    b"{",
    b"}",
    b"[]",
    b"1",
    b'"{}"',
    b'{"type":"mute","on":false',
    b'{"type":"mute","on":false]',
    b'{"type":"mute","on":false}}',
    b'{"type":"mute","on":false}{}',
    b'{"type":"mute","on":false} x',
    b'{"type":"mute","on":false,}',
    b'{,"type":"mute","on":false}',
    b'{"type":"mute",,"on":false}',
    b'{"type":"mute" "on":false}',
    b'{"type" "mute","on":false}',
    b'{"type"::"mute","on":false}',
    b'{"type":"mute","on":}',
    b'{"type":"mute","on"}',
    b'{"type":"mute","on":false,"x":[1}',
    b'{"type":"mute","on":false,"x":[1 2]}',
    b'{"type":"mute","on":false,"x":[1,]}',
    b'{"type":"mute","on":false,"x":[1:2]}',
    b'{"type":"mute","on":false,"x":{"y":1}',
    b'{"type":"mute","on":false,[1]:2}',
    b'{"type":"mute","on":false,{}:2}',
    b'{"type":"mute","on":false,1:2}',
    b'{"type":"mute","on":false,"x":"}',
    b'{"type":"mute","on":false,"x":"\\"}',
    b'{"type":"mute","on":false,"x":"\\\\\\"}',
    b'{"type":"mute","on":false,"x":tru}',
    b'{"type":"mute","on":false,"x":--}',
)
WHOLE = (
    b'{"type":"mute","on":false}',
    b' \r\n\t{ "type" : "mute" , "on" : false } \n',
    b'{"type":"mute","on":false,"x":"\\\\"}',
    b'{"type":"mute","on":false,"x":"\\""}',
    b'{"type":"mute","on":false,"x":"}{][,:\\\\\\"","y":""}',
    b'{"type":"mute","on":false,"x":[],"y":{},"z":[{},[1,-2.5e3,null],{"":"\xc3\xa9"}]}',
)


def check_broken_structure_is_not_json():
    for text in BROKEN:
        for data in (text, bytearray(text), text.decode()):
            assert refusal(messages.decode_message, data, messages.FROM_HUB) == "bad_json", text
    for text in WHOLE:
        assert messages.decode_message(text, messages.FROM_HUB)["on"] is False, text


def check_the_scanner_finds_what_the_strict_parser_finds():
    """The same under every interpreter: it alone stands between MicroPython's parser and the link."""
    left_to_the_parser = (b"tru}", b"--}")
    for text in BROKEN:
        try:
            strict_json.check_object(text)
        except ValueError:
            continue
        assert text.endswith(left_to_the_parser), text
    for text in WHOLE:
        strict_json.check_object(text)


def check_depth_is_bounded():
    def nested(depth):
        return b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    strict_json.check_object(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 600, 4000):
        try:
            strict_json.check_object(nested(depth))
        except ValueError as e:
            assert "deeper" in str(e)
        else:
            raise AssertionError(depth)
    assert refusal(messages.decode_message, b"[" * 4000, messages.FROM_HUB) == "bad_json"
    assert refusal(messages.decode_message, b'{"x":' * 500, messages.FROM_HUB) == "bad_json"
