"""The HTTP between a device and its update server. Sections: answers, requests.

A vector of `answers` is what a server sends (`raw`, ASCII) where at most `limit` bytes of body are wanted, or
the range `wanted` (first, last, total), and what a device makes of it: status, body, and whether the
connection can take another request (`keep`); or the `error` it refuses it with, and whether it asks again
`later`. The beginning of a good one is not done yet. One of `requests` is what a device sends. They follow
from RFC 9112, RFC 9110 (ranges) and docs/ota.md, "What a server may send".
"""

from __future__ import annotations

from typing import Any

MAX_HEAD = 4096
LIMIT = 100
OK = "HTTP/1.1 200 OK\r\n"
INTERIM = "HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
PART = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-14/100\r\n"
CHUNKED_PART = PART + "Transfer-Encoding: chunked\r\n\r\n"
WANTED = [10, 14, 100]

# name, what comes, status, body, whether the connection is kept
GOOD = (
    ("a length", OK + "Content-Length: 5\r\n\r\nhello", 200, "hello", True),
    ("the last", OK + "content-length:5\r\nConnection: close\r\n\r\nhello", 200, "hello", False),
    ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", False),
    ("nothing in it", OK + "Content-Length: 0\r\n\r\n", 200, "", True),
    ("204", "HTTP/1.1 204\r\n\r\n", 204, "", True),
    ("201", "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", True),
    ("a length twice", OK + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", True),
    ("white space", OK + "Content-Length: \t 3 \t\r\n\r\nabc", 200, "abc", True),
    ("no encoding", OK + "Content-Encoding: Identity\r\nContent-Length: 1\r\n\r\nx", 200, "x", True),
    (
        "chunks",
        CHUNKED + "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        "abc0123456789",
        True,
    ),
    ("chunks of the limit", CHUNKED + "64\r\n" + "x" * 100 + "\r\n0\r\n\r\n", 200, "x" * 100, True),
    ("an interim answer", INTERIM + OK + "Content-Length: 1\r\n\r\nx", 200, "x", True),
    ("a hundred of them", INTERIM * 100 + OK + "Content-Length: 0\r\n\r\n", 200, "", True),
    (
        "the longest header",
        OK + "X: " + "y" * (MAX_HEAD - len(OK) - 26) + "\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        True,
    ),
)
# name, what comes, the code
BAD = (
    ("HTTP/2", "HTTP/2 200 OK\r\n\r\n", "bad_answer"),
    ("another protocol", "SSH-2.0-OpenSSH\r\n\r\n", "bad_answer"),
    ("a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n", "bad_answer"),
    ("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad_answer"),
    ("101", "HTTP/1.1 101 Switching\r\n\r\n", "bad_answer"),
    ("no length", OK + "\r\n", "bad_answer"),
    ("a negative length", OK + "Content-Length: -1\r\n\r\n", "bad_answer"),
    ("a length with a sign", OK + "Content-Length: +1\r\n\r\n", "bad_answer"),
    ("a length of eleven digits", OK + "Content-Length: 99999999999\r\n\r\n", "bad_answer"),
    ("two lengths", OK + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "bad_answer"),
    (
        "a length and chunks",
        OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "bad_answer",
    ),
    ("another transfer encoding", OK + "Transfer-Encoding: gzip, chunked\r\n\r\n", "bad_answer"),
    (
        "an encoding",
        OK + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        "bad_answer",
    ),
    ("a field without a colon", OK + "Content-Length 5\r\n\r\n", "bad_answer"),
    ("a field without a name", OK + ": 5\r\n\r\n", "bad_answer"),
    ("a space before a name", OK + " Content-Length: 5\r\n\r\n", "bad_answer"),
    ("a space behind a name", OK + "Content-Length : 5\r\n\r\n", "bad_answer"),
    ("a space in a name", OK + "Content Length: 5\r\n\r\n", "bad_answer"),
    ("other space in a name", OK + "\vX: 5\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    ("a control character in a name", OK + "X\0: 5\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    ("other space in a length", OK + "Content-Length: \v5\r\n\r\nhello", "bad_answer"),
    ("a line feed alone", OK + "X: y\nContent-Length: 5\r\n\r\nhello", "bad_answer"),
    ("it behind a length", OK + "Content-Length: 5\nX: y\r\n\r\nhello", "bad_answer"),
    ("it in the first line", "HTTP/1.1 200 OK\nX: y\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    ("a carriage return alone", OK + "X: y\rZ: 1\r\nContent-Length: 5\r\n\r\nhello", "bad_answer"),
    ("a length beyond the limit", OK + "Content-Length: 101\r\n\r\n", "too_long"),
    ("a chunk beyond the limit", CHUNKED + "65\r\n" + "x" * 101 + "\r\n", "too_long"),
    ("chunks beyond the limit", CHUNKED + "60\r\n" + "x" * 96 + "\r\n5\r\nxxxxx\r\n", "too_long"),
    ("a chunk's size that is none", CHUNKED + "xyz\r\n", "bad_answer"),
    ("a chunk's size with a sign", CHUNKED + "+3\r\nabc\r\n", "bad_answer"),
    ("a chunk's size of eleven digits", CHUNKED + "00000000003\r\nabc\r\n", "bad_answer"),
    ("a chunk longer than it says", CHUNKED + "3\r\nabcd\r\n", "bad_answer"),
    ("trailers", CHUNKED + "0\r\nX: y\r\n\r\n", "bad_answer"),
    ("a chunk's line without an end", CHUNKED + "0" * 70, "too_long"),
    ("a header of 4097 bytes", OK + "X: " + "y" * (MAX_HEAD - len(OK) - 6) + "\r\n\r\n", "too_long"),
    ("a header without an end", OK + "X: " + "y" * 5000, "too_long"),
    ("interim answers without an end", INTERIM * 170, "too_long"),
    (
        "interim answers and a header of 4097 bytes",
        INTERIM * 100 + OK + "X: " + "y" * (MAX_HEAD - 2500 - len(OK) - 6) + "\r\n\r\n",
        "too_long",
    ),
    ("a redirect", "HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", "bad_answer"),
    ("404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    ("a range that nobody wanted", "HTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx", "bad_answer"),
)
LATER = (401, 403, 429, 500, 503)  # a token, too, may be put right
# name, what comes where bytes 10-14 of 100 are wanted
GOOD_RANGES = (
    ("a length", PART + "Content-Length: 5\r\n\r\nabcde"),
    ("chunks", CHUNKED_PART + "5\r\nabcde\r\n0\r\n\r\n"),
    ("two chunks", CHUNKED_PART + "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
    (
        "another way to write it",
        "HTTP/1.1 206 X\r\ncontent-range:  Bytes 10-14/100 \r\nContent-Length: 5\r\n\r\nabcde",
    ),
)
# name, what comes, what is wanted instead of bytes 10-14 of 100
BAD_RANGES = (
    ("another last byte", PART + "Content-Length: 5\r\n\r\n", [10, 15, 100]),
    ("another first byte", PART + "Content-Length: 5\r\n\r\n", [11, 14, 100]),
    ("another total", PART + "Content-Length: 5\r\n\r\n", [10, 14, 101]),
    ("a byte too many", PART + "Content-Length: 6\r\n\r\n", WANTED),
    ("a byte too few", PART + "Content-Length: 4\r\n\r\n", WANTED),
    ("a chunk too long", CHUNKED_PART + "6\r\nabcdef\r\n", WANTED),
    ("chunks that end early", CHUNKED_PART + "4\r\nabcd\r\n0\r\n\r\n", WANTED),
    ("the whole file", OK + "Content-Length: 5\r\n\r\n", WANTED),
    ("no place", "HTTP/1.1 206 X\r\nContent-Length: 5\r\n\r\n", WANTED),
    ("416", "HTTP/1.1 416 X\r\n\r\n", WANTED),
)
BAD_PLACES = (
    "",
    "bytes */100",
    "bytes 10-14",
    "items 10-14/100",
    "bytes=10-14/100",
    "bytes -10-14/100",
    "bytes 10-14/*",
    "bytes 10-14/00000000100",
    "bytes 10 - 14 / 100",
)


def answer(
    name: str, raw: str, wanted: list[int] | None = None, by: str = "hand", **result: object
) -> dict[str, Any]:
    limit = LIMIT if wanted is None else 0
    return {"name": name, "by": by, "raw": raw, "limit": limit, "wanted": wanted} | result


def answers() -> list[dict[str, Any]]:
    out = [
        answer(f"good: {name}", raw, status=status, body=body, keep=keep)
        for name, raw, status, body, keep in GOOD
    ]
    out += [answer(f"bad: {name}", raw, error=code, later=False) for name, raw, code in BAD]
    for status in LATER:
        raw = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"
        for wanted in (None, WANTED):
            name = f"later: {status}{' for a range' if wanted else ''}"
            out.append(answer(name, raw, wanted, "generator", error="bad_answer", later=True))
    out += [
        answer(f"range: {name}", raw, WANTED, status=206, body="abcde", keep=True)
        for name, raw in GOOD_RANGES
    ]
    out += [
        answer(f"bad range: {name}", raw, wanted, error="bad_range", later=False)
        for name, raw, wanted in BAD_RANGES
    ]
    for place in BAD_PLACES:
        raw = f"HTTP/1.1 206 X\r\nContent-Range: {place}\r\nContent-Length: 5\r\n\r\nabcde"
        out.append(answer(f"bad range: {place!r}", raw, WANTED, error="bad_range", later=False))
    return out


def requests() -> list[dict[str, Any]]:
    asked = {"method": "GET", "host": "10.0.0.2", "port": 8443, "path": "/x?y=1", "token": "tok"}
    top = "GET /x?y=1 HTTP/1.1\r\nHost: 10.0.0.2:8443\r\nAuthorization: TargetToken tok\r\n"

    def one(name: str, text: str, **changes: object) -> dict[str, Any]:
        return {"name": name, "by": "hand", **asked, "body": None, "range": None, **changes, "text": text}

    return [
        one("GET", top + "Accept: application/json, */*\r\n\r\n"),
        one("a range", top + "Accept: */*\r\nRange: bytes=5-9\r\n\r\n", range=[5, 9]),
        one("the first byte", top + "Accept: */*\r\nRange: bytes=0-0\r\n\r\n", range=[0, 0]),
        one(
            "an address of IPv6",
            top.replace("10.0.0.2", "[::1]") + "Accept: application/json, */*\r\n\r\n",
            host="::1",
        ),
        one(
            "POST",
            top.replace("GET", "POST") + "Accept: application/json, */*\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            method="POST",
            body="{}",
        ),
        one(
            "PUT of nothing",
            top.replace("GET", "PUT") + "Accept: application/json, */*\r\n"
            "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
            method="PUT",
            body="",
        ),
    ]


def sections() -> dict[str, list[dict[str, Any]]]:
    return {"answers": answers(), "requests": requests()}
