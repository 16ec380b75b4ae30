from minerva.errors import TryLaterError, UpdateError
from minerva.http import MAX_HEAD, Answer, content_range, request

OK = b"HTTP/1.1 200 OK\r\n"
# answer -> (status, body, whether the connection is kept)
GOOD = (
    (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
    (OK + b"content-length:5\r\nConnection: close\r\n\r\nhello", 200, b"hello", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    (b"HTTP/1.1 204\r\n\r\n", 204, b"", True),
    (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", True),
    (
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        b"abc0123456789",
        True,
    ),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx", 200, b"x", True),
)
# answer -> code
BAD = (
    (b"HTTP/2 200 OK\r\n\r\n", "bad_answer"),
    (b"SSH-2.0-OpenSSH\r\n\r\n", "bad_answer"),
    (b"HTTP/1.1 2x0 OK\r\n\r\n", "bad_answer"),
    (b"HTTP/1.1 101 Switching\r\n\r\n", "bad_answer"),
    (OK + b"\r\n", "bad_answer"),
    (OK + b"Content-Length: -1\r\n\r\n", "bad_answer"),
    (OK + b"Content-Length: 99999999999\r\n\r\n", "bad_answer"),
    (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "bad_answer"),
    (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_answer"),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "bad_answer"),
    (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "bad_answer"),
    (OK + b"Content-Length 5\r\n\r\n", "bad_answer"),
    (OK + b" Content-Length: 5\r\n\r\n", "bad_answer"),
    (OK + b"Content-Length: 101\r\n\r\n", "too_long"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101 + b"\r\n", "too_long"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n60\r\n" + b"x" * 96 + b"\r\n5\r\nxxxxx\r\n", "too_long"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "bad_answer"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "bad_answer"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", "bad_answer"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 70, "too_long"),
    (OK + b"X: " + b"y" * 5000, "too_long"),
    (b"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", "bad_answer"),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    (b"HTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx", "bad_answer"),
)
PART = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-14/100\r\n"


def take(raw, step, limit=100, wanted=None):
    """(answer, body, bytes taken), fed in pieces of `step`."""
    body = bytearray()
    answer = Answer(body.extend, limit, wanted)
    at = 0
    while at < len(raw) and not answer.done:
        at += answer.feed(memoryview(raw[at : at + step]))
    return answer, bytes(body), at


def code_of(raw, step, wanted=None):
    try:
        answer = take(raw, step, 100, wanted)[0]
    except UpdateError as e:
        return e.code
    return "done" if answer.done else "more"


def check_good_answers_in_pieces_of_any_size():
    for raw, status, body, keep in GOOD:
        for step in range(1, len(raw) + 1):
            answer, got, taken = take(raw + b"HTTP/1.1 500 next", step)
            assert answer.done and (answer.status, got, answer.keep) == (status, body, keep), (raw, step, got)
            assert taken == len(raw), (raw, step, taken)


def check_good_answers_cut_short_are_not_done():
    for raw, _, _, _ in GOOD:
        for end in range(len(raw)):
            assert code_of(raw[:end], 1000) == "more", (raw, end)


def check_bad_answers_in_pieces_of_any_size():
    for raw, code in BAD:
        for step in (1, 2, 7, 64, 4096, 10000):
            assert code_of(raw, step) == code, (raw[:80], step, code_of(raw, step))


def check_the_server_may_do_better_later():
    for status in (401, 403, 429, 500, 503):
        try:
            take(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status, 1000)
        except TryLaterError:
            continue
        raise AssertionError(status)


def check_ranges():
    wanted = (10, 14, 100)
    answer, body, _ = take(PART + b"Content-Length: 5\r\n\r\nabcde", 3, 0, wanted)
    assert answer.done and body == b"abcde"
    answer, body, _ = take(PART + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 3, 0, wanted)
    assert answer.done and body == b"abcde"
    for raw, other in (
        (PART + b"Content-Length: 5\r\n\r\n", (10, 15, 100)),
        (PART + b"Content-Length: 5\r\n\r\n", (11, 14, 100)),
        (PART + b"Content-Length: 5\r\n\r\n", (10, 14, 101)),
        (PART + b"Content-Length: 6\r\n\r\n", wanted),
        (PART + b"Content-Length: 4\r\n\r\n", wanted),
        (PART + b"Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n", wanted),
        (PART + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", wanted),
        (OK + b"Content-Length: 5\r\n\r\n", wanted),
        (b"HTTP/1.1 206 X\r\nContent-Length: 5\r\n\r\n", wanted),
        (b"HTTP/1.1 416 X\r\n\r\n", wanted),
    ):
        assert code_of(raw, 1000, other) == "bad_range", (raw, other, code_of(raw, 1000, other))
    assert content_range(b"Bytes 0-0/1") == (0, 0, 1)
    for text in (b"", b"bytes */100", b"bytes 1-2", b"items 1-2/3", b"bytes -1-2/3", b"bytes 1-2/*"):
        try:
            content_range(text)
        except UpdateError as e:
            assert e.code == "bad_range"
        else:
            raise AssertionError(text)


def check_the_header_is_bounded_with_all_interim_answers():
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert code_of(interim * 100 + OK + b"Content-Length: 0\r\n\r\n", 64) == "done"
    for step in (1, 25, 64, 10000):
        assert code_of(interim * 170, step) == "too_long"
    assert code_of(OK + b"X: " + b"y" * (MAX_HEAD - len(OK) - 7) + b"\r\n\r\n", 4096) == "bad_answer"


def check_requests():
    assert request("GET", "10.0.0.2", 8443, "/x?y=1", "tok") == (
        b"GET /x?y=1 HTTP/1.1\r\nHost: 10.0.0.2:8443\r\nAuthorization: TargetToken tok\r\n"
        b"Accept: application/json, */*\r\n\r\n"
    )
    assert b"Host: [::1]:80\r\n" in request("GET", "::1", 80, "/", "t")
    ranged = request("GET", "h", 80, "/", "t", None, 5, 9)
    assert b"\r\nRange: bytes=5-9\r\n" in ranged
    sent = request("POST", "h", 80, "/", "t", b"{}")
    assert sent.endswith(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
