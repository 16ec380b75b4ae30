"""A file server on 127.0.0.1 that misbehaves on cue: cuts, stalls, lies, ignores ranges, changes files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Served:
    """One file: what it is, and how it is sent."""

    data: bytes
    etag: str = '"one"'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    location: str = ""  # redirects there
    cut_after: int | None = None  # bytes of a body, then the connection ends; once each is taken from `cuts`
    cuts: int = 0
    stall_after: int | None = None  # bytes of a body, then nothing more
    trickle_s: float = 0.0  # a byte each
    ranges: bool = True
    length: int | None = None  # what Content-Length says instead of the truth
    chunked: bool = False
    close_delimited: bool = False
    then: bytes | None = None  # the data after the first cut


class FileServer:
    """Serves `files` by path; `asked` are (path, headers) of all requests."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, path: str, data: bytes, **how: object) -> Served:
        self.files[path] = Served(data, **how)  # type: ignore[arg-type]
        return self.files[path]

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("range") for _, headers in self.asked]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    first, *rest = head.strip().split("\r\n")
                    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
                    path = first.split()[1]
                    self.asked.append((path, headers))
                    if not await self._answer(self.files.get(path), headers, writer):
                        return
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, file: Served | None, asked: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        """Send; whether the connection goes on."""
        if file is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        headers = dict(file.headers)
        if file.location:
            headers |= {"Location": file.location, "Content-Length": "0"}
            writer.write(_head(302, headers))
            return True
        body, status = file.data, file.status
        match = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        if match and file.ranges and asked.get("if-range", file.etag) == file.etag:
            start = int(match[1])
            if start >= len(body):
                writer.write(_head(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"}))
                return True
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        if file.etag:
            headers["ETag"] = file.etag
        if file.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif not file.close_delimited:
            headers["Content-Length"] = str(len(body) if file.length is None else file.length)
        writer.write(_head(status, headers))
        return await self._body(file, body, writer)

    async def _body(self, file: Served, body: bytes, writer: asyncio.StreamWriter) -> bool:
        if file.chunked:
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            return True
        if file.trickle_s:
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(file.trickle_s)
            return True
        if file.stall_after is not None:
            writer.write(body[: file.stall_after])
            await writer.drain()
            await asyncio.sleep(60)
        if file.cut_after is not None and file.cuts > 0:
            file.cuts -= 1
            writer.write(body[: file.cut_after])
            await writer.drain()
            if file.then is not None:
                file.data, file.etag = file.then, file.etag and '"two"'
            return False
        writer.write(body)
        await writer.drain()
        return not file.close_delimited


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def file_server() -> AsyncIterator[FileServer]:
    """It, on a free port."""
    served = FileServer()
    server = await asyncio.start_server(served._serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in tuple(served._open):
            task.cancel()
        await asyncio.gather(*served._open, return_exceptions=True)
