"""An update server of hawkBit's DDI that says what a test wants, byte for byte, and keeps what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.ota_release import Release

BASE = "/default/controller/v1/kitchen"
TOKEN = "secret-token"


@dataclass(frozen=True)
class Request:
    """What a device asked: `range` is (first, last), `body` the JSON it sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def range(self) -> tuple[int, int] | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return None if found is None else (int(found[1]), int(found[2]))


@dataclass(frozen=True)
class Reply:
    """What it is told: `cut` breaks the connection after so many bytes, `pause_s` lies between `portion`s."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    cut: int | None = None
    portion: int = 1 << 20
    pause_s: float = 0

    def encode(self) -> bytes:
        """The bytes of it."""
        headers = dict(self.headers)
        body = self.body
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
            parts = [body[i : i + 1000] for i in range(0, len(body), 1000)] + [b""]
            body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts)
        else:
            headers.setdefault("Content-Length", str(len(body)))
        lines = [f"HTTP/1.1 {self.status} X", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


def as_json(value: object, **more: Any) -> Reply:
    """A JSON answer."""
    return Reply(
        body=json.dumps(value).encode(),
        headers={"Content-Type": "application/hal+json;charset=UTF-8"},
        **more,
    )


class DdiServer:
    """Listens on a free port of 127.0.0.1. `twist(request, reply)` gives what is said instead of `reply`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.sleep = "00:05:00"
        self.action: int | None = None
        self.cancel: int | None = None
        self.release: Release | None = None
        self.twist: Callable[[Request, Reply], Reply] = lambda request, reply: reply
        self.requests: list[Request] = []
        self.feedback: list[tuple[str, dict[str, Any]]] = []  # (path after BASE, body)
        self.attributes: dict[str, str] | None = None
        self.connections = 0
        self.hellos = 0  # of TLS, whatever became of them
        self.sent = 0  # bytes of answers
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> DdiServer:
        if self.context is not None:
            self.context.sni_callback = self._greeted
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _greeted(self, *_: object) -> None:
        self.hellos += 1
        self._changed.set()

    @property
    def url(self) -> str:
        """What stands in a device's settings."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{BASE}"

    def offer(self, release: Release, action: int = 7) -> None:
        """Assign a release."""
        self.release, self.action, self.cancel = release, action, None

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60) -> None:
        """Wait for something to be true of what was heard."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def closed(self) -> tuple[str, list[str]] | None:
        """(success or failure, details) of the last feedback that closed the action."""
        for path, body in reversed(self.feedback):
            status = body["status"]
            if "deploymentBase" in path and status["execution"] == "closed":
                return status["result"]["finished"], status["details"]
        return None

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges that were asked for."""
        return [r.range for r in self.requests if r.range is not None]

    # --- a connection ---------------------------------------------------------------------------------

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._serve(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # the server closes; asyncio's streams would complain of it
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, path, headers, json.loads(body) if body else None)
        self.requests.append(request)
        reply = self.twist(request, self._answer(request))
        raw = reply.encode()[: reply.cut]
        for at in range(0, len(raw), reply.portion):
            portion = raw[at : at + reply.portion]
            self.sent += len(portion)
            writer.write(portion)
            await writer.drain()
            if reply.pause_s:
                await asyncio.sleep(reply.pause_s)
        self._changed.set()
        return reply.cut is None

    # --- what it says when nothing twists it ------------------------------------------------------------

    def _answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"TargetToken {TOKEN}":
            return Reply(401)
        if not request.path.startswith(BASE):
            return Reply(404)
        path = request.path[len(BASE) :].partition("?")[0]
        if request.method == "GET":
            return self._get(path, request)
        if request.method == "PUT" and path == "/configData":
            self.attributes = request.body["data"]
            return Reply()
        found = re.fullmatch(r"/(deploymentBase|cancelAction)/(\d+)/feedback", path)
        if request.method != "POST" or found is None:
            return Reply(404)
        self._hear(found[1], int(found[2]), path, request.body)
        return Reply()

    def _hear(self, what: str, number: int, path: str, body: dict[str, Any]) -> None:
        self.feedback.append((path, body))
        execution = body["status"]["execution"]
        if what == "deploymentBase" and number == self.action and execution == "closed":
            self.action = None
        elif what == "cancelAction" and number == self.cancel:
            if execution == "closed":
                self.action = None
            self.cancel = None

    def _get(self, path: str, request: Request) -> Reply:
        if path == "":
            return as_json(self._poll())
        if self.action is not None and path == f"/deploymentBase/{self.action}":
            return as_json(self._deployment())
        if self.cancel is not None and path == f"/cancelAction/{self.cancel}":
            return as_json({"id": str(self.cancel), "cancelAction": {"stopId": str(self.cancel)}})
        name = path.rpartition("/")[2]
        if self.release is None or name not in self.release.artifacts():
            return Reply(404)
        content = self.release.artifacts()[name]
        if request.range is None:
            return Reply(200, content)
        first, last = request.range
        place = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
        return Reply(206, content[first : last + 1], {"Content-Range": place})

    def _link(self, path: str) -> dict[str, str]:
        return {"href": f"https://hawkbit.example{BASE}{path}"}

    def _poll(self) -> dict[str, Any]:
        links = {}
        if self.cancel is not None:
            links["cancelAction"] = self._link(f"/cancelAction/{self.cancel}")
        elif self.action is not None:
            links["deploymentBase"] = self._link(f"/deploymentBase/{self.action}?c=-2127183556")
        if self.attributes is None:
            links["configData"] = self._link("/configData")
        return {"config": {"polling": {"sleep": self.sleep}}, "_links": links}

    def _deployment(self) -> dict[str, Any]:
        assert self.release is not None
        artifacts = [
            {
                "filename": name,
                "hashes": {"sha1": "0" * 40, "md5": "0" * 32, "sha256": hashlib.sha256(content).hexdigest()},
                "size": len(content),
                "_links": {"download": self._link(f"/softwaremodules/1/artifacts/{name}")},
            }
            for name, content in self.release.artifacts().items()
        ]
        chunk = {"part": "bApp", "version": "0.2.0", "name": "minerva", "artifacts": artifacts}
        deployment = {"download": "forced", "update": "forced", "chunks": [chunk]}
        return {"id": str(self.action), "deployment": deployment}


def cut(reply: Reply, after: int) -> Reply:
    """The same answer, broken off after so many bytes of it."""
    return replace(reply, cut=after)
