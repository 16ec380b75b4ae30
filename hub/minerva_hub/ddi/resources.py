"""The resources of one device: what it shall do, the files for that, and what it says about it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TypeVar

import msgspec
from aiohttp import hdrs, web

from minerva_hub.ddi import messages
from minerva_hub.ddi.access import Access
from minerva_hub.ddi.messages import Link
from minerva_hub.ddi.problems import DdiError
from minerva_hub.events import Feedback, Release
from minerva_hub.rollouts import Rollouts
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.store import Store

ROOT = "/default/controller/v1/{device}"  # `default` is hawkBit's name for the only tenant
HAL = "application/hal+json"
BODY_S = 10.0
MAX_ID = 2**63 - 1
_PARTS = {"application": "bApp", "image": "os"}  # hawkBit's names of the two kinds
T = TypeVar("T")


class Resources:
    """Handlers of the routes under ROOT."""

    def __init__(
        self, *, store: Store, rollouts: Rollouts, shelf: Shelf, access: Access, poll_s: int
    ) -> None:
        self._updates = store.updates
        self._rollouts = rollouts
        self._shelf = shelf
        self._access = access
        self._sleep = f"{poll_s // 3600:02}:{poll_s // 60 % 60:02}:{poll_s % 60:02}"

    async def base(self, request: web.Request) -> web.Response:
        """GET ROOT: what there is to do. An ETag spares what did not change."""
        device = await self._access.check(request)
        work = await self._updates.work(device.id)
        root = _root(request)
        links = messages.BaseLinks(
            deployment_base=_link(root, "deploymentBase", None if work.cancel else work.action),
            cancel_action=_link(root, "cancelAction", work.action if work.cancel else None),
            installed_base=_link(root, "installedBase", work.installed if work.action is None else None),
            config_data=Link(f"{root}/configData") if work.configure else None,
        )
        config = messages.Config(messages.Polling(self._sleep))
        body = messages.encode(messages.Base(config=config, links=links))
        etag = hashlib.sha256(body).hexdigest()[:16]
        if any(one.value in (etag, "*") for one in request.if_none_match or ()):
            unchanged = web.Response(status=304)
            unchanged.etag = etag
            return unchanged
        response = web.Response(body=body, content_type=HAL)
        response.etag = etag
        return response

    async def deployment(self, request: web.Request) -> web.Response:
        """GET deploymentBase/{action}: the files of a release; from here on the action is under way."""
        device = await self._access.check(request)
        action = _number(request, "action")
        release = await self._rollouts.take(device.id, action)
        if release is None:
            raise _nothing(f"there is no action {action} for {device.id}")
        return _deployment(request, action, release)

    async def installed(self, request: web.Request) -> web.Response:
        """GET installedBase/{action}: what the device installed with it."""
        device = await self._access.check(request)
        action = _number(request, "action")
        for found in await self._updates.actions(id_=action):
            if found.device == device.id and found.state == "success":
                release = await self._updates.release(found.release)
                if release is not None:
                    return _deployment(request, action, release)
        raise _nothing(f"{device.id} installed nothing with an action {action}")

    async def cancel(self, request: web.Request) -> web.Response:
        """GET cancelAction/{action}: which action is to be given up."""
        device = await self._access.check(request)
        action = _number(request, "action")
        if not await self._updates.canceling(device.id, action):
            raise _nothing(f"there is no action {action} that {device.id} should give up")
        stop = messages.StopId(stop_id=str(action))
        return _json(messages.CancelAction(id=str(action), cancel_action=stop))

    async def feedback(self, request: web.Request) -> web.Response:
        """POST deploymentBase/{action}/feedback."""
        return await self._feedback(request, of_cancel=False)

    async def cancel_feedback(self, request: web.Request) -> web.Response:
        """POST cancelAction/{action}/feedback."""
        return await self._feedback(request, of_cancel=True)

    async def _feedback(self, request: web.Request, *, of_cancel: bool) -> web.Response:
        device = await self._access.check(request)
        action = _number(request, "action")
        status = (await _body(request, messages.ActionFeedback)).status
        said = Feedback(
            action=action,
            at_ms=time.time_ns() // 1_000_000,
            execution=status.execution,
            finished=status.result.finished,
            progress=status.percent,
            details=status.lines,
        )
        told = await self._rollouts.tell(device.id, said, of_cancel=of_cancel)
        if told.reply == "unknown":
            raise _nothing(f"there is no action {action} for {device.id}")
        if told.reply == "closed":
            raise DdiError(410, "gone", f"action {action} of {device.id} is closed")
        return web.Response()

    async def configure(self, request: web.Request) -> web.Response:
        """PUT configData: what the device says of itself."""
        device = await self._access.check(request)
        given = await _body(request, messages.ConfigData)
        kept = {} if given.mode == "replace" else await self._updates.attributes(device.id)
        if given.mode == "remove":
            kept = {name: value for name, value in kept.items() if name not in given.data}
        else:
            kept |= given.data
        if len(kept) > messages.MAX_ATTRIBUTES:
            raise DdiError(
                403,
                "too_long",
                f"{device.id} would have {len(kept)} attributes; at most {messages.MAX_ATTRIBUTES} are kept",
            )
        await self._updates.set_attributes(device.id, kept)
        return web.Response()

    async def artifacts(self, request: web.Request) -> web.Response:
        """GET softwaremodules/{module}/artifacts: the files of a release that the device is offered."""
        device = await self._access.check(request)
        module = _number(request, "module")
        release = await self._updates.fetchable(device.id, module)
        if release is None:
            raise _nothing(f"there is no module {module} for {device.id}")
        return web.Response(body=msgspec.json.encode(_files(request, release)), content_type=HAL)

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """GET or HEAD softwaremodules/{module}/artifacts/{filename}, whole or a range."""
        release, filename = await self._file(request)
        return web.FileResponse(
            self._shelf.path(release.digest, filename),
            headers={hdrs.CONTENT_TYPE: "application/octet-stream"},
        )

    async def md5sum(self, request: web.Request) -> web.Response:
        """The line that md5sum writes of a file: hawkBit has one beside each."""
        release, filename = await self._file(request)
        md5 = next(one.md5 for one in release.artifacts if one.filename == filename)
        return web.Response(text=f"{md5}  {filename}")

    async def _file(self, request: web.Request) -> tuple[Release, str]:
        device = await self._access.check(request)
        module, filename = _number(request, "module"), request.match_info["filename"]
        release = await self._updates.fetchable(device.id, module)
        if release is None or all(one.filename != filename for one in release.artifacts):
            raise _nothing(f"there is no file {filename[:40]!r} of module {module} for {device.id}")
        return release, filename


def _root(request: web.Request) -> str:
    """The address of the device's resources, as the device sees the hub. DdiError: it names no host."""
    try:
        origin = request.url.origin()
    except ValueError:
        raise DdiError(400, "body", f"the Host header {request.host[:100]!r} names no host") from None
    return f"{origin}{ROOT.format(device=request.match_info['device'])}"


def _link(root: str, resource: str, action: int | None) -> Link | None:
    return None if action is None else Link(f"{root}/{resource}/{action}")


def _files(request: web.Request, release: Release) -> tuple[messages.DdiArtifact, ...]:
    secure = request.scheme == "https"
    files = []
    for one in release.artifacts:
        at = Link(f"{_root(request)}/softwaremodules/{release.id}/artifacts/{one.filename}")
        files.append(
            messages.DdiArtifact(
                filename=one.filename,
                hashes=messages.Hashes(one.sha1, one.md5, one.sha256),
                size=one.size,
                links=messages.ArtifactLinks(download=at, download_http=None if secure else at),
            )
        )
    return tuple(files)


def _deployment(request: web.Request, action: int, release: Release) -> web.Response:
    chunk = messages.Chunk(
        part=_PARTS.get(release.kind, release.kind),
        version=release.version,
        name=release.name,
        artifacts=_files(request, release),
    )
    return _json(messages.DeploymentBase(id=str(action), deployment=messages.Deployment(chunks=(chunk,))))


def _json(body: msgspec.Struct) -> web.Response:
    return web.Response(body=messages.encode(body), content_type=HAL)


def _nothing(message: str) -> DdiError:
    return DdiError(404, "not_found", message)


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0
    if not 1 <= number <= MAX_ID:
        raise _nothing(f"{text[:40]!r} is no number of {'an action' if name == 'action' else 'a module'}")
    return number


async def _body(request: web.Request, kind: type[T]) -> T:
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > messages.MAX_BODY:
                    raise DdiError(413, "too_long", f"the body exceeds {messages.MAX_BODY} bytes")
    except web.RequestPayloadError as error:
        raise DdiError(400, "body", f"the body cannot be read: {str(error)[:200]}") from None
    except TimeoutError:
        raise DdiError(408, "body", f"the body was not complete within {BODY_S:g} s") from None
    try:
        return msgspec.json.decode(bytes(raw), type=kind)
    except RecursionError:
        raise DdiError(400, "body", "the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise DdiError(400, "body", f"body {bytes(raw[:120])!r}: {error}") from None
