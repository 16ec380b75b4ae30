"""One file over HTTP from a server that misbehaves: what comes is whole and right, or an error says why."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.download import FetchConfig, Fetcher
from minerva_hub.download.fetch import Fetched
from minerva_hub.errors import DownloadError

from tests.fakes.authority import Authority
from tests.fakes.file_server import FileServer, file_server

QUICK = FetchConfig(connect_s=2, stall_s=0.3, window_s=0.2, attempts=3, pause_s=0.01, reserve_bytes=0)
DATA = os.urandom(3 << 20)
SHA = hashlib.sha256(DATA).hexdigest()
LIMIT = 4 << 20


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    async with file_server() as running:
        yield running


async def get(
    server: FileServer, target: Path, *, path: str = "/f", config: FetchConfig = QUICK, **known: Any
) -> Fetched:
    async with Fetcher(config) as fetcher:
        return await asyncio.wait_for(
            fetcher.fetch(server.url + path, target, **{"limit": LIMIT} | known), 20
        )


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("how", [{}, {"chunked": True}, {"close_delimited": True}])
async def test_a_file_comes_whole(server: FileServer, tmp_path: Path, how: dict[str, Any]) -> None:
    server.put("/f", DATA, **how)
    told: list[tuple[int, int | None]] = []
    got = await get(server, tmp_path / "f", size=len(DATA), sha256=SHA, progress=lambda *at: told.append(at))
    assert (got.size, got.sha256) == (len(DATA), SHA)
    assert (tmp_path / "f").read_bytes() == DATA
    assert left(tmp_path) == ["f"]
    assert told[0][0] == 0 and told[-1][0] == len(DATA)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    ((_, headers),) = server.asked
    assert not {"cookie", "authorization", "referer"} & set(headers)
    assert headers["accept-encoding"] == "identity"


async def test_after_cuts_it_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA, cut_after=1 << 20, cuts=2)
    assert (await get(server, tmp_path / "f")).sha256 == SHA
    assert server.ranges == [None, f"bytes={1 << 20}-", f"bytes={2 << 20}-"]
    assert server.asked[1][1]["if-range"] == '"one"'


async def test_what_came_is_kept_for_the_next_time(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA, cut_after=2_000_000, stall_after=2_000_000)
    with pytest.raises(
        DownloadError, match=r"127.0.0.1 sent nothing for 0.3 s; what came is kept: pull again"
    ):
        await get(server, tmp_path / "f")
    assert left(tmp_path) == ["f.part", "f.part.json"]
    assert (tmp_path / "f.part").stat().st_size == 2_000_000
    server.put("/f", DATA)
    assert (await get(server, tmp_path / "f")).sha256 == SHA
    assert server.ranges[-1] == "bytes=2000000-"
    assert left(tmp_path) == ["f"]


async def test_cuts_without_end_are_given_up(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA, cut_after=0, cuts=100)
    with pytest.raises(DownloadError, match=r"127.0.0.1: .*; what came is kept"):
        await get(server, tmp_path / "f")
    assert len(server.asked) == QUICK.attempts


@pytest.mark.parametrize(
    "how",
    [
        {"then": DATA[::-1]},  # another file, which the ETag tells
        {"then": DATA[::-1], "etag": ""},  # and one whose server has no ETags
        {"ranges": False},
        {"then": DATA[: 1 << 19]},  # shorter than what came: 416 or 200
    ],
)
async def test_content_that_changes_between_parts_is_never_mixed(
    server: FileServer, tmp_path: Path, how: dict[str, Any]
) -> None:
    file = server.put("/f", DATA, cut_after=1 << 20, cuts=1, **how)
    got = await get(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == file.data
    assert got.sha256 == hashlib.sha256(file.data).hexdigest()


async def test_a_server_that_lies_about_its_etag_is_found_by_the_hash(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    (tmp_path / "f.part.json").write_text(f'{{"url": "{server.url}/f", "etag": "\\"one\\""}}')
    server.put("/f", DATA)
    assert (await get(server, tmp_path / "f", sha256=SHA)).sha256 == SHA
    assert server.ranges == ["bytes=1000-", None]


async def test_a_part_that_is_whole_needs_no_more(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA)
    (tmp_path / "f.part").write_bytes(DATA)
    (tmp_path / "f.part.json").write_text(f'{{"url": "{server.url}/f", "etag": "\\"one\\""}}')
    assert (await get(server, tmp_path / "f")).sha256 == SHA  # 416, and it says that this is all
    assert server.ranges == [f"bytes={len(DATA)}-"]


@pytest.mark.parametrize("note", ["", "{", '{"url": "http://127.0.0.1:1/other", "etag": "\\"one\\""}'])
async def test_a_part_of_something_else_is_not_gone_on_with(
    server: FileServer, tmp_path: Path, note: str
) -> None:
    server.put("/f", DATA)
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    (tmp_path / "f.part.json").write_text(note)
    assert (await get(server, tmp_path / "f", sha256=SHA)).sha256 == SHA
    assert server.ranges == [None]


@pytest.mark.parametrize(
    ("how", "known", "says"),
    [
        ({}, {"sha256": "0" * 64}, "is not the file that it must be .*; nothing is kept"),
        ({"headers": {"X-Linked-Etag": f'"{"1" * 64}"'}}, {}, "is not the file that it must be"),
        ({}, {"size": 5}, f"has {len(DATA)} bytes, models.toml states 5: it is another file"),
        ({}, {"limit": 1 << 20}, "has 3.1 MB, more than 1.0 MB, the limit of models.toml"),
        ({"chunked": True}, {"limit": 1 << 20}, f"sends more than {1 << 20} bytes, the limit"),
        ({"chunked": True}, {"size": 4 << 20}, "is not the file that it must be"),
        ({"close_delimited": True}, {}, "does not say how large"),
        ({"headers": {"Content-Type": "text/html"}}, {}, "a web page in the place of f; does this network"),
        ({"headers": {"Content-Encoding": "gzip"}}, {}, "another encoding"),
        ({"status": 403}, {}, r"an account or a consent, which Minerva does not give \(HTTP 403\)"),
        ({"status": 410}, {}, r"127.0.0.1 has no /f any more \(HTTP 410\)"),
        ({"status": 429}, {}, r"is busy; try again later \(HTTP 429\)"),
        ({"status": 500}, {}, r"does not give it \(HTTP 500\)"),
        ({"location": "ftp://127.0.0.1/f"}, {}, "ftp://127.0.0.1 is not fetched from"),
        ({"location": "http://192.0.2.1/f"}, {}, "http://192.0.2.1 is not fetched from: models come by"),
        ({"location": "http://u:p@127.0.0.1/f"}, {}, "a user in it"),
        ({"location": "/f"}, {}, "redirects more than 5 times, the limit"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_and_not_kept(
    server: FileServer, tmp_path: Path, how: dict[str, Any], known: dict[str, Any], says: str
) -> None:
    server.put("/f", DATA, **how)
    with pytest.raises(DownloadError, match=says):
        await get(server, tmp_path / "f", **known)
    assert [name for name in left(tmp_path) if not name.endswith(".json")] == []


async def test_lies_about_the_size_are_cuts(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA[:1000], length=2000, cut_after=1000, cuts=100)
    with pytest.raises(DownloadError, match="what came is kept"):
        await get(server, tmp_path / "f")
    assert not (tmp_path / "f").exists()


async def test_a_trickle_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA, trickle_s=0.02)
    with pytest.raises(DownloadError, match=r"is too slow: \d+ bytes in 0.2 s, 262144 are the least"):
        await get(server, tmp_path / "f")
    assert (tmp_path / "f.part").stat().st_size > 0


async def test_redirects_bring_what_hugging_face_states(server: FileServer, tmp_path: Path) -> None:
    stated = {"X-Linked-Etag": f'"{SHA}"', "X-Repo-Commit": "a" * 40}
    server.put("/f", b"", location="/store/f", headers=stated)
    server.put("/store/f", DATA)
    got = await get(server, tmp_path / "f")
    assert (got.stated, got.revision) == (SHA, "a" * 40)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/f", "http://localhost.example.org/f", "file:///etc/passwd"]
)
async def test_only_https_and_loopback(tmp_path: Path, url: str) -> None:
    async with Fetcher(QUICK) as fetcher:
        with pytest.raises(DownloadError, match=r"is not fetched from: models come by https:// only"):
            await fetcher.fetch(url, tmp_path / "f", limit=LIMIT)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/f", "https://nowhere.invalid/f"])
async def test_without_internet_there_is_one_sentence(tmp_path: Path, url: str) -> None:
    async with Fetcher(QUICK) as fetcher:
        with pytest.raises(DownloadError) as failed:
            await fetcher.fetch(url, tmp_path / "f", limit=LIMIT)
    host = url.split("/")[2].split(":")[0]
    assert str(failed.value) == f"{host} cannot be reached; is this computer on the internet?"


async def test_a_certificate_that_is_not_trusted_ends_it(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: an untrusted certificate is NOT tried")
    context = Authority(tmp_path, "stranger").server("localhost")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server, Fetcher(QUICK) as fetcher:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DownloadError, match="localhost: its certificate is not trusted"):
            await fetcher.fetch(f"https://localhost:{port}/f", tmp_path / "f", limit=LIMIT)


async def test_too_little_room_is_said_before(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA)
    greedy = replace(QUICK, reserve_bytes=1 << 60)
    with pytest.raises(
        DownloadError, match=r"is too full: 3.1 MB are needed and .* stay free for the timeline"
    ):
        await get(server, tmp_path / "f", config=greedy)


async def test_a_full_disk_keeps_what_is_there(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real file system of two megabytes where this may mount one; else writes fail as on a full one."""
    monkeypatch.setattr("minerva_hub.download.fetch.check_room", lambda *_: None)
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = _mount(folder)
    try:
        if not mounted:
            _fail_after(monkeypatch, 2 << 20)
        server.put("/f", DATA)
        with pytest.raises(
            DownloadError, match=r"the disk is full while .*/f is written; \d.\d MB of it are kept"
        ):
            await get(server, folder / "f")
        assert "f" not in left(folder)
        kept = (folder / "f.part").stat().st_size
        assert 1 << 20 <= kept < len(DATA)
        assert (folder / "f.part").read_bytes() == DATA[:kept]
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def _mount(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True)
    return done.returncode == 0


def _fail_after(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    from minerva_hub.download.parts import Part

    real = Part.open

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: bytes) -> int:
            if self._file.tell() + len(data) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self._file.write(data))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    def restart(self: Any, origin: Any) -> None:
        begun(self, origin)
        self._file = Full(self._file)

    begun = Part.restart
    monkeypatch.setattr(Part, "restart", restart)
    assert real is Part.open


async def test_a_download_that_is_cancelled_can_be_gone_on_with(server: FileServer, tmp_path: Path) -> None:
    server.put("/f", DATA, stall_after=2_000_000)
    begun = asyncio.Event()

    async with Fetcher(replace(QUICK, stall_s=30)) as fetcher:
        task = asyncio.create_task(
            fetcher.fetch(
                f"{server.url}/f", tmp_path / "f", limit=LIMIT,
                progress=lambda done, of: begun.set() if done else None,
            )
        )  # fmt: skip
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (tmp_path / "f.part").stat().st_size >= 1 << 20
    server.put("/f", DATA)
    assert (await get(server, tmp_path / "f")).sha256 == SHA
    assert server.ranges[-1] not in (None, "bytes=0-")
