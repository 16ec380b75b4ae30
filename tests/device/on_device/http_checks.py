from minerva.errors import TryLaterError, UpdateError
from minerva.http import Answer, content_range, request

from ota_lines import lines_of

NEXT = b"HTTP/1.1 500 next"  # what of another answer may follow


def take(vector, raw, step):
    """(answer, body, bytes taken), fed in pieces of `step`."""
    body = bytearray()
    answer = Answer(body.extend, vector["limit"], vector["wanted"] and tuple(vector["wanted"]))
    at = 0
    while at < len(raw) and not answer.done:
        at += answer.feed(memoryview(raw[at : at + step]))
    return answer, bytes(body), at


def refused(vector, raw, step):
    """(code, whether it may go well later); where it is not refused, whether it is done."""
    try:
        return take(vector, raw, step)[0].done
    except UpdateError as e:
        return e.code, isinstance(e, TryLaterError)


def steps(raw):
    """Pieces of any size; of what is long of some."""
    return range(1, len(raw) + 1) if len(raw) < 200 else (1, 2, 7, 64, 4096, len(raw))


def check_section_answers():
    for vector in lines_of("answers"):
        raw = vector["raw"].encode()
        for step in steps(raw):
            if "error" in vector:
                got = refused(vector, raw, step)
                assert got == (vector["error"], vector["later"]), (vector["name"], step, got)
                continue
            answer, body, taken = take(vector, raw + NEXT, step)
            assert answer.done and taken == len(raw), (vector["name"], step, taken)
            assert answer.status == vector["status"] and answer.keep is vector["keep"], vector["name"]
            assert body == vector["body"].encode(), (vector["name"], step, body)


def check_good_answers_cut_short_are_not_done():
    for vector in lines_of("answers"):
        raw = vector["raw"].encode()
        for end in range(0, 0 if "error" in vector else len(raw), 1 if len(raw) < 200 else 7):
            answer = take(vector, raw[:end], 1000)[0]
            assert not answer.done and answer.begun is (end > 0), (vector["name"], end)


def check_content_range():
    assert content_range(b"Bytes 0-0/1") == (0, 0, 1)


def check_section_requests():
    for vector in lines_of("requests"):
        args = [vector[name] for name in ("method", "host", "port", "path", "token")]
        first, last = vector["range"] or (-1, -1)
        body = None if vector["body"] is None else vector["body"].encode()
        got = request(args[0], args[1], args[2], args[3], args[4], body, first, last)
        assert got == vector["text"].encode(), (vector["name"], got)
