"""Receives releases, keeps what is signed, and notes what it refused."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from minerva import keyset
from minerva import manifest as manifests
from minerva.errors import UpdateError

from minerva_hub.errors import ConflictError
from minerva_hub.events import Artifact, NewRelease, RefusedRelease, Release, TrustedKeys
from minerva_hub.releases.bundle import sync_folder, write_artifacts
from minerva_hub.releases.checks import ReleaseRefusedError, refusing, verify
from minerva_hub.store.updates import Updates

MAX_UPLOADS: Final = 4  # at once; each may take 16 MiB of the disk
MAX_WHO: Final = 64


class Shelf(Protocol):
    """Where releases' files are: a fresh folder for an upload, which is kept under its digest or dropped."""

    def incoming(self) -> Path:
        """A fresh folder."""

    def keep(self, incoming: Path, digest: str) -> None:
        """Make it the release with that manifest, at once or not at all."""

    def drop(self, incoming: Path) -> None:
        """Remove it."""

    def remove(self, digest: str) -> None:
        """Remove a release."""


class Releases:
    """What the hub takes from those who publish; the store has its rows, the shelf its files."""

    def __init__(self, updates: Updates, shelf: Shelf, *, clock: Callable[[], float] = time.time) -> None:
        self._updates = updates
        self._shelf = shelf
        self._clock = clock
        self._under_way = 0
        self._settling = asyncio.Lock()

    async def trusted(self) -> TrustedKeys | None:
        """The key set that releases must be signed by; None before the owner gave one."""
        found = await self._updates.key_set()
        if found is None:
            return None
        text, at_ms = found
        keys = keyset.parse(text.encode())
        return TrustedKeys(
            version=keys.version,
            threshold=keys.threshold,
            keys=tuple(keyset.key_id(key) for key in keys.keys),
            text=text,
            at_ms=at_ms,
        )

    async def trust(self, text: bytes, *, replace: bool = False) -> TrustedKeys:
        """Trust the owner's key set. ReleaseRefusedError: it is none; ConflictError: there is one already.

        A later one comes with a release that carries its rotation, or in its place with `replace`.
        """
        with refusing():
            keys = keyset.parse(text)
        before = await self.trusted()
        if before is not None and not replace:
            if before.text.encode() == text:
                return before
            raise ConflictError(
                f"key set {before.version} is trusted already; rotations come with releases, "
                "and to trust another one instead needs --replace"
            )
        await self._updates.set_key_set(keys.version, text.decode(), replace=replace)
        now = await self.trusted()
        assert now is not None  # noqa: S101 - it was just stored
        return now

    async def receive(
        self, manifest: bytes, signatures: bytes, bundle: AsyncIterable[bytes], *, who: str
    ) -> Release:
        """Keep a release; `bundle` gives files.bin in pieces, `who` sends it.

        ReleaseRefusedError, which is also noted for the owner; ConflictError: this release, or another one of
        that version for one of its boards, is here; StoreError.
        """
        try:
            async with self._slot():
                return await self._receive(manifest, signatures, bundle)
        except ReleaseRefusedError as refused:
            await self._note(refused, manifest, who)
            raise

    async def remove(self, id_: int) -> None:
        """Remove a release and its files; UnknownItemError, ConflictError while a rollout uses it."""
        async with self._settling:
            removed = await self._updates.remove_release(id_)
            await asyncio.to_thread(self._shelf.remove, removed.digest)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._under_way >= MAX_UPLOADS:
            raise ConflictError(f"{MAX_UPLOADS} releases are being uploaded; try again when one is done")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _receive(self, manifest: bytes, signatures: bytes, bundle: AsyncIterable[bytes]) -> Release:
        trusted = await self._updates.key_set()
        if trusted is None:
            raise ReleaseRefusedError(
                "unknown_key", "the hub trusts no keys yet: minerva release trust keys.json on the hub"
            )
        with refusing():
            before = keyset.parse(trusted[0].encode())
            # Some milliseconds at most: 72 signatures.
            found, now = keyset.check(manifest, signatures, before, verify)
            if found.expires <= self._clock():
                raise UpdateError("expired", f"it expired at {found.expires}")
        digest = hashlib.sha256(manifest).hexdigest()
        await self._check_new(found, digest)
        folder = await asyncio.to_thread(self._shelf.incoming)
        try:
            with refusing():
                artifacts = await write_artifacts(folder, found, manifest, signatures, bundle)
            new = _record(found, digest, signatures, artifacts, at_ms=int(self._clock() * 1000))
            async with self._settling:
                await self._check_new(found, digest)
                rotated = (now.version, now.data.decode()) if now.version > before.version else None
                return await self._keep(folder, new, rotated)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._shelf.drop, folder))
            raise

    async def _check_new(self, found: manifests.Manifest, digest: str) -> None:
        """ConflictError where a version would mean two things."""
        for one in await self._updates.releases():
            if one.digest == digest:
                raise ConflictError(f"{one.name} {one.version} is here already, as release {one.id}")
            kind = (one.name, one.version, one.kind, one.variant, one.abi)
            if kind != (found.name, found.version, found.kind, found.variant, found.abi):
                continue
            shared = sorted(set(one.boards) & set(found.boards))
            if shared:
                raise ConflictError(
                    f"{one.name} {one.version} for {', '.join(shared)} is here with other content, as "
                    f"release {one.id}; give this one another version"
                )

    async def _keep(self, folder: Path, new: NewRelease, rotated: tuple[int, str] | None) -> Release:
        """The files first, so that no row is without them; what a crash left between the two goes."""
        await asyncio.to_thread(self._shelf.remove, new.digest)
        await asyncio.to_thread(self._shelf.keep, folder, new.digest)
        await asyncio.to_thread(sync_folder, folder.parent)
        return await self._updates.add_release(new, rotated)

    async def _note(self, refused: ReleaseRefusedError, manifest: bytes, who: str) -> None:
        try:
            claims = manifests.parse(manifest)
            name, version = claims.name, claims.version
        except UpdateError:
            name = version = ""
        await self._updates.add_refused(
            RefusedRelease(
                at_ms=int(self._clock() * 1000),
                code=refused.code,
                message=f"{refused} (from {who[:MAX_WHO]})",
                name=name,
                version=version,
            )
        )


def _record(
    found: manifests.Manifest, digest: str, signatures: bytes, artifacts: tuple[Artifact, ...], *, at_ms: int
) -> NewRelease:
    signed, _ = keyset.parse_signatures(signatures)
    return NewRelease(
        name=found.name,
        version=found.version,
        security_version=found.security_version,
        kind=found.kind,
        variant=found.variant,
        boards=tuple(found.boards),
        abi=found.abi,
        created_s=found.created,
        expires_s=found.expires,
        signers=tuple(dict.fromkeys(id_ for id_, _ in signed if id_ in found.keys)),
        files=len(found.files),
        size=found.total,
        digest=digest,
        added_ms=at_ms,
        artifacts=artifacts,
    )
