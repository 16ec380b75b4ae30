"""Pulling a model: from a server on this machine to an engine's path, archives included, and again."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.download import FetchConfig, Fetcher, pull
from minerva_hub.download.archive import MAX_MEMBERS, unpack
from minerva_hub.errors import ConflictError, DownloadError, UserError
from minerva_hub.models import Found, ModelFile, checking, find_model, find_segmentation, listing, records
from minerva_hub.models.listing import Model

from tests.fakes.file_server import FileServer, file_server
from tests.fakes.model_list import listed, table

QUICK = FetchConfig(connect_s=2, stall_s=0.3, attempts=2, pause_s=0.01, reserve_bytes=0)
FOLDER = "sherpa-net"
NET = os.urandom(50_000)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    async with file_server() as running:
        yield running


async def bring(model: Model, folder: Path, **options: Any) -> checking.Status:
    async with Fetcher(QUICK) as fetcher:
        return await pull(model, folder, fetcher, **options)


def whisper(server: FileServer, **fields: str) -> Model:
    """As Hugging Face has it: two files of one revision."""
    more = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    files = ('name = "a.bin"', 'name = "b.json"')
    (model,) = listing.read(table("tiny", f"{server.url}/r", *files, kind="whisper", more=more))
    return model


def tar(add: Callable[[tarfile.TarFile], None], ending: str = "bz2") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{ending}") as archive:  # type: ignore[call-overload]
        add(archive)
    return out.getvalue()


def member(name: str, data: bytes = NET, **fields: Any) -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = 0 if fields else len(data)
        for field, value in fields.items():
            setattr(info, field, value)
        archive.addfile(info, None if fields else io.BytesIO(data))

    return add


def both(*adds: Callable[[tarfile.TarFile], None]) -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        for one in adds:
            one(archive)

    return add


async def test_a_first_pull_records_and_later_ones_hold_it(server: FileServer, tmp_path: Path) -> None:
    model = whisper(server)
    commit = {"X-Repo-Commit": "c" * 40}
    server.put("/r/resolve/main/a.bin", b"aaaa", headers=commit)
    server.put(f"/r/resolve/{'c' * 40}/b.json", b"{}", headers=commit)
    told: list[tuple[str, int, int | None]] = []
    found = await bring(model, tmp_path, progress=lambda *at: told.append(at))
    assert found.state == "ready"
    assert [name for name, _, _ in told] == sorted(name for name, _, _ in told)
    assert told[-1] == ("b.json", 6, 1_000_000)  # its size is stated by the list as a megabyte, about
    kept = records.load(tmp_path)["tiny"]
    assert (kept.revision, kept.files["a.bin"].trust) == ("c" * 40, "recorded")

    asked = len(server.asked)
    assert (await bring(model, tmp_path)).state == "ready"
    assert len(server.asked) == asked  # nothing is fetched that is here and right

    (tmp_path / "tiny" / "a.bin").write_bytes(b"AAAA")  # damaged: only that file, of the same revision
    server.put(f"/r/resolve/{'c' * 40}/a.bin", b"aaaa")
    assert (await bring(model, tmp_path)).state == "ready"
    assert [path for path, _ in server.asked[asked:]] == [f"/r/resolve/{'c' * 40}/a.bin"]

    checking.remove(tmp_path, model)
    server.put(f"/r/resolve/{'c' * 40}/a.bin", b"evil")
    with pytest.raises(DownloadError, match=r"recorded when tiny was first pulled.*remove tiny --forget"):
        await bring(model, tmp_path)
    assert checking.status(tmp_path, model).state == "absent"


async def test_a_pull_that_was_cut_goes_on_with_the_next_file(server: FileServer, tmp_path: Path) -> None:
    model = whisper(server, revision="r1")
    server.put("/r/resolve/r1/a.bin", b"aaaa")
    with pytest.raises(DownloadError, match=r"has no /r/resolve/r1/b.json any more"):
        await bring(model, tmp_path)
    partial = checking.status(tmp_path, model)
    assert (partial.state, partial.reason) == ("partial", "b.json not here yet")
    server.put("/r/resolve/r1/b.json", b"{}")
    asked = len(server.asked)
    assert (await bring(model, tmp_path)).state == "ready"
    assert len(server.asked) == asked + 1


async def test_a_hash_that_the_server_states_is_trusted_as_stated(server: FileServer, tmp_path: Path) -> None:
    server.put("/r/resolve/main/a.bin", b"", location="/s", headers={"X-Linked-Etag": f'"{sha(b"aaaa")}"'})
    server.put("/s", b"aaaa")
    server.put("/r/resolve/main/b.json", b"{}")
    await bring(whisper(server), tmp_path)
    files = records.load(tmp_path)["tiny"].files
    assert (files["a.bin"].trust, files["b.json"].trust) == ("stated", "recorded")


@pytest.mark.parametrize("ending", ["bz2", "gz"])
async def test_an_archive_gives_its_model_and_nothing_else(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    others = (member("../../escape"), member(f"{FOLDER}/README"))
    data = tar(both(*others, member(f"./{FOLDER}/net.onnx")), ending)
    archive = (
        f'[model.archive]\nurl = "{server.url}/n.tar.{ending}"\nfolder = "{FOLDER}"\nsha256 = "{sha(data)}"\n'
    )
    file = f'name = "net.onnx", sha256 = "{sha(NET)}"'
    models = listed(monkeypatch, table("seg", server.url, file, kind="sherpa-segmentation", more=archive))
    server.put(f"/n.tar.{ending}", data)
    assert (await bring(models[0], tmp_path)).state == "ready"
    assert find_segmentation(tmp_path) == Found("seg", tmp_path / "seg", "net.onnx")
    assert [path.name for path in (tmp_path / "seg").iterdir()] == ["net.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".busy", ".lock", records.FILE, "seg"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tar(member(f"{FOLDER}/other")), f"lacks {FOLDER}/net.onnx"),
        (tar(member(f"{FOLDER}/net.onnx", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "no plain file"),
        (tar(member(f"{FOLDER}/net.onnx", type=tarfile.LNKTYPE, linkname="x")), "no plain file"),
        (tar(member(f"{FOLDER}/net.onnx", type=tarfile.FIFOTYPE)), "no plain file"),
        (tar(member(f"{FOLDER}/net.onnx", NET + b"1")), "has 50001 bytes, the limit is 50000"),
        (tar(member(f"{FOLDER}/net.onnx", NET[::-1])), "it must have"),
        (tar(both(member(f"{FOLDER}/net.onnx"), member(f"{FOLDER}/net.onnx"))), "twice"),
        (tar(member("zeros", bytes(10 << 20))), "grows to more than 400000 bytes"),
        (tar(member("x" * 500_000, b"")), "grows to more than 400000 bytes"),  # read into memory
        (tar(both(*[member(f"n{i}", b"") for i in range(MAX_MEMBERS + 1)])), "more than (1000|400000)"),
        (tar(member(f"{FOLDER}/net.onnx"))[:-20_000], "cannot be unpacked"),
        (b"PK\x03\x04 no tar", "cannot be unpacked"),
    ],
)  # fmt: skip
def test_an_archive_that_is_hostile_or_damaged_leaves_nothing(tmp_path: Path, data: bytes, says: str) -> None:
    archive = tmp_path / "n.tar.bz2"
    archive.write_bytes(data)
    wanted = [ModelFile(name="net.onnx", size=len(NET), sha256=sha(NET))]
    with pytest.raises(DownloadError, match=says):
        unpack(archive, FOLDER, wanted, tmp_path, 100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["n.tar.bz2"]


async def test_what_cannot_be_pulled_says_so(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="asks for an account and your consent"):
        await bring(find_model("pyannote-community-1"), tmp_path)
    with records.busy(tmp_path), pytest.raises(ConflictError, match="another process is busy"):
        await bring(whisper(server), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        await bring(whisper(server), tmp_path / "file" / "models")
    assert server.asked == []


async def test_a_model_that_does_not_fit_is_told_beforehand(server: FileServer, tmp_path: Path) -> None:
    async with Fetcher(FetchConfig(reserve_bytes=1 << 60)) as fetcher:
        with pytest.raises(DownloadError, match=r"1.0 MB are needed"):
            await pull(whisper(server), tmp_path, fetcher)
    assert server.asked == []
