"""What the owner asks of the models in a hub that runs: one pull or verification at a time, with progress."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from minerva_hub.bus import Bus
from minerva_hub.download.fetch import FetchConfig, Fetcher
from minerva_hub.download.pull import check_pullable, pull
from minerva_hub.errors import ConflictError, MinervaError
from minerva_hub.events import ModelChanged, ModelInfo, ModelJob
from minerva_hub.models import checking, find_model, listing, records
from minerva_hub.models.info import describe
from minerva_hub.models.listing import Model

PROGRESS_S: Final = 0.25  # between two events of a job: as often as a bar can be seen to move

_log = logging.getLogger(__name__)


class ModelJobs:
    """The models in a folder, as they are shown and changed. It lives in the event loop."""

    def __init__(self, folder: Path, bus: Bus, config: FetchConfig | None = None) -> None:
        self.folder = folder
        self._bus = bus
        self._config = config
        self._jobs: dict[str, ModelJob] = {}  # the last of each model; the list bounds them
        self._running: asyncio.Task[None] | None = None
        self._model = ""
        self._showing: asyncio.TimerHandle | None = None

    async def all(self) -> list[ModelInfo]:
        """All models of the list, and how they stand."""
        return await asyncio.to_thread(lambda: [self._info(model) for model in listing.catalogue()])

    async def pull(self, name: str) -> ModelInfo:
        """Begin to bring a model here; its events tell how it goes on, and its `job` how it ended.

        UnknownItemError; UserError where upstream asks for a consent; ConflictError during another job.
        """
        model = find_model(name)
        check_pullable(model)
        return await self._start(model, "pull")

    async def verify(self, name: str) -> ModelInfo:
        """Begin to hash the files of a model; as `pull`."""
        model = find_model(name)
        found = await asyncio.to_thread(checking.status, self.folder, model)
        if not model.file or found.state in ("absent", "partial"):
            raise ConflictError(f"the model {model.name} is not on this disk, so there is nothing to verify")
        return await self._start(model, "verify")

    async def cancel(self, name: str) -> ModelInfo:
        """End the job of a model; what came is kept. ConflictError where it has none."""
        model = find_model(name)
        if self._running is None or self._model != model.name:
            raise ConflictError(f"nothing is being done with the model {model.name}")
        await self._end()
        return await asyncio.to_thread(self._info, model)

    async def remove(self, name: str) -> None:
        """Remove a model's files, its hashes stay. ConflictError while there is a job or another process."""
        model = find_model(name)
        self._check_free()
        await asyncio.to_thread(checking.remove, self.folder, model)
        self._jobs.pop(model.name, None)
        await self._publish(model)

    async def close(self) -> None:
        """End what is going on: the hub stops."""
        await self._end()

    def _check_free(self) -> None:
        if self._running is not None:
            job = self._jobs[self._model]
            doing = "pulled" if job.action == "pull" else "verified"
            raise ConflictError(f"the model {self._model} is being {doing}; wait for it, or cancel it")

    async def _start(self, model: Model, action: Literal["pull", "verify"]) -> ModelInfo:
        self._check_free()
        self._model = model.name
        self._jobs[model.name] = ModelJob(action=action, state="running", at_ms=_now_ms())
        self._running = asyncio.create_task(self._run(model, action), name=f"{action} {model.name}")
        return await self._publish(model)

    async def _end(self) -> None:
        task = self._running
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if self._running is task:  # it had not begun
            self._ended(find_model(self._model), "cancelled", "Stopped.")

    async def _run(self, model: Model, action: Literal["pull", "verify"]) -> None:
        state: Literal["done", "failed", "cancelled"] = "done"
        message = ""
        try:
            found = await (self._pull(model) if action == "pull" else self._verify(model))
            if found.state != "ready":
                state, message = "failed", found.reason
        except asyncio.CancelledError:
            state, message = "cancelled", "Stopped; what came is kept." if action == "pull" else "Stopped."
            raise
        except (MinervaError, OSError) as problem:
            state, message = "failed", str(problem)
        except Exception as problem:
            _log.exception("%s of the model %s failed", action, model.name)
            state, message = "failed", f"an internal error, the hub's log has more: {type(problem).__name__}"
        finally:
            self._ended(model, state, message)

    def _ended(self, model: Model, state: Literal["done", "failed", "cancelled"], message: str) -> None:
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None
        job = self._jobs[model.name]
        self._running = None
        self._jobs[model.name] = msgspec.structs.replace(job, state=state, message=message, at_ms=_now_ms())
        _log.info("%s of the model %s: %s %s", job.action, model.name, state, message)
        self._tell(model)

    def _tell(self, model: Model) -> None:
        """Publish how a model stands: some looks at a folder, so that it need not wait for a thread."""
        try:
            self._bus.publish(ModelChanged(model=self._info(model)))
        except MinervaError as problem:  # the lock file is damaged, which GET /api/models tells
            _log.warning("%s", problem)

    async def _pull(self, model: Model) -> checking.Status:
        async with Fetcher(self._config) as fetcher:
            return await pull(model, self.folder, fetcher, lambda *at: self._progress(model, *at))

    async def _verify(self, model: Model) -> checking.Status:
        loop = asyncio.get_running_loop()
        stopped = False

        def tell(name: str, done: int, of: int | None) -> None:
            if stopped:
                raise InterruptedError("nobody wants to know any more")
            loop.call_soon_threadsafe(self._progress, model, name, done, of)

        def work() -> checking.Status:
            with records.busy(self.folder):
                return checking.verify(self.folder, model, tell)

        hashing = loop.run_in_executor(None, work)
        try:
            return await asyncio.shield(hashing)
        except asyncio.CancelledError:
            stopped = True
            with suppress(InterruptedError, MinervaError):
                await hashing
            raise

    def _progress(self, model: Model, name: str, done: int, of: int | None) -> None:
        job = self._jobs[model.name]
        if job.state != "running":
            return  # told by a thread after the end
        self._jobs[model.name] = msgspec.structs.replace(job, file=name, done_bytes=done, total_bytes=of)
        if self._showing is None:  # the newest of what comes until then is what it tells
            self._showing = asyncio.get_running_loop().call_later(PROGRESS_S, self._show, model)

    def _show(self, model: Model) -> None:
        self._showing = None
        if self._jobs[model.name].state == "running":
            self._tell(model)

    def _info(self, model: Model) -> ModelInfo:
        return describe(model, checking.status(self.folder, model), self._jobs.get(model.name))

    async def _publish(self, model: Model) -> ModelInfo:
        info = await asyncio.to_thread(self._info, model)
        self._bus.publish(ModelChanged(model=info))
        return info


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
