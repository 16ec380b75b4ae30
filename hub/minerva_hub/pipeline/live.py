"""The live pipeline: packets of all devices -> speech detector -> segments -> workers -> conversations.

Everything here runs in the event loop's thread but the engines, which have threads of their own. Audio is fed
as it comes; the detector runs over all streams together some forty times a second; each transcriber takes the
next segment of the stream whose turn it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress

import msgspec

from minerva_hub.bus import Bus
from minerva_hub.config import HubConfig
from minerva_hub.errors import StoreError
from minerva_hub.events import (
    DeviceRecord,
    EngineInfo,
    Gap,
    NewSound,
    ResumePoint,
)
from minerva_hub.pipeline.conversations import Conversations
from minerva_hub.pipeline.features import FeatureBlock, FeatureLog, FeatureTaps
from minerva_hub.pipeline.guests import Guests
from minerva_hub.pipeline.notes import Notes
from minerva_hub.pipeline.partials import Partials
from minerva_hub.pipeline.queue import Job
from minerva_hub.pipeline.scheduler import Scheduler
from minerva_hub.pipeline.sounds import Sounds
from minerva_hub.pipeline.stream import Clock, Stream
from minerva_hub.pipeline.talk import Talk
from minerva_hub.pipeline.workers import Workers, late_warning
from minerva_hub.segment import (
    Ear,
    EarBank,
    EarEvent,
    SegmentEnded,
    Settled,
    SpeechBegan,
    SpeechDropped,
)
from minerva_hub.store import Store
from minerva_hub.transcribe import Engine, choose_engine

ROUNDS = 8  # windows of each stream in one go: a burst that is sent again must not hold up the event loop
STEP_S = 0.025  # the detector's pace: adds at most this to the latency, and fills its batches
HOUSEKEEPING_S = 1.0
SAVE_S = 5.0  # resume points of what was not speech; after a kill at most this much is judged again
OFFLINE_S = 15.0  # a device that stays away longer will not finish its sentence
MAX_PENDING = 32 << 20  # samples of all devices, 64 MB: above it each gets an equal share of them
PACKETS_UNDER_WAY = 4000  # samples, 0.25 s: with audio always coming a little of it always waits

EngineChoice = Callable[[], Engine]

_log = logging.getLogger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Pipeline:
    """Takes the streams of all devices and fills the store and the bus."""

    def __init__(
        self,
        config: HubConfig,
        store: Store,
        bus: Bus,
        *,
        bank: EarBank,
        engine: EngineChoice | None = None,
        changed: Callable[[], None] = lambda: None,
        on_gap: Callable[[Gap], None] = lambda gap: None,
    ) -> None:
        self.drops: Counter[str] = Counter()
        self.warnings: dict[str, str] = {}
        self.features = FeatureTaps()
        self._config = config
        self._store = store
        self._bus = bus
        self._bank = bank
        self._changed = changed
        self._scheduler = Scheduler(config.transcribe.workers)
        self._queue = self._scheduler.finals
        self._partials = Partials(config.transcribe, self._scheduler, bus.publish)
        self._streams: dict[str, Stream] = {}
        self._by_ear: dict[Ear, Stream] = {}
        self._ending: list[Ear] = []  # flushed, closed as soon as they have told the rest
        self._talk = Talk(bus)
        self._engines: dict[str, EngineInfo] = {
            "speech": EngineInfo(stage="speech", name="silero-vad", state="ready", reason="built in")
        }
        self._conversations = Conversations(
            store, bus, config.session, lambda: self._workers.diarizer(), self.warn
        )
        self.guests = Guests(self, config, lambda: self._workers.diarizer())
        self._workers = Workers(
            config,
            self._scheduler,
            self._partials,
            engine or (lambda: choose_engine(config.transcribe, config.models.path)),
            add=self.guests.or_else(self._conversations.add),
            show=self._set_engine,
            warn=self.warn,
            after=self._talk.written,
            drops=self.drops,
        )
        self._heard = asyncio.Event()
        self._notes = Notes(store, bus, self.warn, on_gap)
        self._sounds = Sounds(
            config.sounds, config.models.path, self.note, self._set_engine, self.warn, self.drops
        )
        self._tasks: list[asyncio.Task[None]] = []

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to listen; the engines load behind this, and what is said meanwhile waits for them."""
        await self._conversations.end_left_open()
        for name, coroutine in (
            ("detector", self._detect()),
            ("engines", self._workers.run()),
            ("housekeeping", self._housekeep()),
            ("notes", self._notes.run()),
            ("sounds", self._sounds.run()),
        ):
            self._tasks.append(asyncio.create_task(self._watched(name, coroutine), name=name))

    async def _watched(self, name: str, coroutine: Coroutine[object, object, None]) -> None:
        """A part of the pipeline that dies takes the hub's work with it: the owner must see that."""
        try:
            await coroutine
        except Exception:
            _log.exception("the pipeline's %s stopped", name)
            if name == "engines" and "transcribe" in self._engines:
                self._set_engine(msgspec.structs.replace(self._engines["transcribe"], state="error"))
            self.warn(name, f"The hub's {name} stopped after an internal error: see its log")

    async def stop(self) -> None:
        """Stop at once. What is not written down stays unsettled: devices send it again to the next run."""
        self.features.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._notes.drain()
        await self._conversations.end_all()
        await self._save_resume_points()

    def engines(self) -> tuple[EngineInfo, ...]:
        """The engines in use, and why."""
        return tuple(self._engines.values())

    def work(self) -> dict[str, int]:
        """What the recognisers did: jobs, the milliseconds that they took, encoder frames."""
        return dict(self._workers.work)

    def queues(self) -> dict[str, int]:
        """What waits where."""
        return {
            "segments": len(self._queue),
            "partials": self._scheduler.partials,
            "notes": len(self._notes),
            "sounds": len(self._sounds),
            "features": len(self.features),
            "backlog_ms": sum(ear.pending for ear in self._by_ear) // 16,
        }

    @property
    def busy(self) -> bool:
        """Whether something that was heard is not judged or not written down yet."""
        waiting = bool(len(self._queue)) or bool(self._talk)
        return waiting or any(
            self._queue.pending(stream.device) or stream.ear.pending > PACKETS_UNDER_WAY
            for stream in self._streams.values()
        )

    def warn(self, key: str, text: str | None) -> None:
        """Show a warning, or take it back (None)."""
        if self.warnings.get(key) == text:
            return
        if text is None:
            del self.warnings[key]
        else:
            self.warnings[key] = text
        self._changed()

    # --- what links call ------------------------------------------------------------------------------------

    async def resume_point(self, device: str, boot_id: str) -> ResumePoint | None:
        """Where the store says that a device's boot goes on, for `open_stream`."""
        return await self._store.resume(device, boot_id, 0)

    def open_stream(
        self, record: DeviceRecord, boot_id: str, time_ms: int, point: ResumePoint | None
    ) -> Stream:
        """The stream of a device's boot, gone on with or new from `point`; `time_ms`: its clock now.

        It waits for nothing, so that whoever calls it knows that the device is still the one it asked about.
        """
        now_ms = _now_ms()
        stream = self._streams.get(record.id)
        if stream is not None and stream.boot_id == boot_id:
            stream.reconnected(time_ms, now_ms)
            return stream
        if stream is not None:
            self._close_stream(stream)
        offset_ms = now_ms - time_ms if point is None else point.clock_offset_ms
        stream = Stream(
            record.id,
            record.room,
            boot_id,
            self._bank.open(),
            Clock(offset_ms, time_ms),
            FeatureLog(self.features),
            self._sounds.open(record.id, record.room),
            lead_ms=self._config.ingest.lead_ms,
        )
        if point is not None:
            stream.restore(point)
            stream.clock.restart(time_ms, now_ms)
        self._streams[record.id] = stream
        self._by_ear[stream.ear] = stream
        return stream

    def accept(
        self, stream: Stream, kind: int, flags: int, frames: int, seq: int, time_u32: int, payload: memoryview
    ) -> bool:
        """Take a packet; False when it was dropped (and counted). PeerError as Stream.accept."""
        taken, gaps = stream.accept(kind, flags, frames, seq, time_u32, payload, _now_ms())
        for gap in gaps:
            self.note(gap)
        if not taken:
            self.drops["packets"] += 1
        if stream.duplicates:
            self.drops["duplicates"] += stream.duplicates
            stream.duplicates = 0
        self.drops["features"] = self.features.dropped
        self._heard.set()
        return taken

    def newest_features(self, device: str, since_ms: int = 0) -> tuple[FeatureBlock, ...]:
        """What is kept of a device's features and ends after `since_ms` (UTC), oldest first: 30 s at most."""
        stream = self._streams.get(device)
        return () if stream is None else stream.features.newest(since_ms)

    def note(self, what: Gap | NewSound) -> None:
        """Keep a gap or a sound, or tell it to the guest that it is of; never blocks."""
        if not self.guests.note(what):
            self._notes.put(what)
            self.drops["notes"] = self._notes.dropped

    def disconnected(self, stream: Stream) -> None:
        """The device's connection ended; it may come back and go on."""
        stream.connected = False
        stream.offline_since_s = time.monotonic()

    def forget(self, device: str) -> None:
        """The device was removed: nothing of it is written down any more."""
        stream = self._streams.pop(device, None)
        if stream is not None:
            self._by_ear.pop(stream.ear, None)
            self._bank.close(stream.ear)
            stream.removed = True
            stream.no_more_sounds(forget=True)
            self._partials.ended(stream)
            self._talk.end(stream)
        self._queue.forget(device)

    def pending(self, device: str) -> bool:
        """Whether speech of it waits to be written down, or is."""
        return self._queue.pending(device)

    def flush(self, stream: Stream) -> None:
        """What is being said ends here: it is written down as it is."""
        stream.ear.flush()
        self._heard.set()

    async def end_session(self, session_id: int) -> None:
        """The owner ends a conversation."""
        await self._conversations.end(session_id)

    # --- the detector ---------------------------------------------------------------------------------------

    async def _detect(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            for ear, event in self._bank.step(ROUNDS):
                stream = self._by_ear.get(ear)
                if stream is not None:
                    self._on_ear(stream, event)
            self._partials.look()
            self.drops["partials"] = self._scheduler.dropped
            if self._bank.busy:
                self._heard.set()
                await asyncio.sleep(0)
                continue
            while self._ending:
                ear = self._ending.pop()
                self._by_ear.pop(ear, None)
                self._bank.close(ear)
            await asyncio.sleep(STEP_S)

    def _on_ear(self, stream: Stream, event: EarEvent) -> None:
        if isinstance(event, SpeechBegan):
            self._talk.set(stream, "speaking", event.at_ms)
            self._partials.began(stream, event.at_ms)
        elif isinstance(event, SpeechDropped):
            self._partials.ended(stream)
            self._talk.end(stream)
        elif isinstance(event, SegmentEnded):
            committed = self._partials.ended(stream)
            self._talk.set(stream, "transcribing", event.segment.start_ms)
            for lost in self._queue.put(stream, event.segment, committed):
                self._lose(lost)
        elif isinstance(event, Settled):
            self._queue.settle(stream, event.seq)

    def _lose(self, job: Job) -> None:
        stream, segment = job.stream, job.segment
        if segment is None:
            return
        self.drops["segments"] += 1
        packets = max(1, (segment.end_ms - segment.start_ms) // 60)
        self.note(
            Gap(
                device=stream.device,
                start_ms=segment.start_ms,
                end_ms=segment.end_ms,
                packets=packets,
                reason="hub_overload",
            )
        )

    def _close_stream(self, stream: Stream) -> None:
        """End a stream for good: what was being said is written down as it is."""
        self.flush(stream)
        stream.no_more_sounds()
        self._ending.append(stream.ear)
        if self._streams.get(stream.device) is stream:
            del self._streams[stream.device]

    # --- engines and workers --------------------------------------------------------------------------------

    def _set_engine(self, info: EngineInfo) -> None:
        self._engines[info.stage] = info
        if info.state != "loading":
            _log.info("%s: %s (%s). %s", info.stage, info.name, info.state, info.reason)
        self._changed()

    # --- housekeeping ---------------------------------------------------------------------------------------

    async def _housekeep(self) -> None:
        saved_s = time.monotonic()
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now_s = time.monotonic()
            for stream in tuple(self._streams.values()):
                if not stream.connected and now_s - stream.offline_since_s > OFFLINE_S:
                    self._close_stream(stream)
            self._share_backlog()
            self.warn("late", late_warning(self._queue.waited_s))
            await self._conversations.end_quiet(self._has_text_to_come)
            if now_s - saved_s >= SAVE_S:
                saved_s = now_s
                await self._save_resume_points()

    def _share_backlog(self) -> None:
        """Bound what waits for the detector over all devices; a device with little waiting loses nothing."""
        streams = self._streams.values()
        full = sum(stream.ear.pending for stream in streams) > MAX_PENDING
        for stream in streams:
            stream.max_pending = MAX_PENDING // len(streams) if full else None

    def _has_text_to_come(self, device: str) -> bool:
        stream = self._streams.get(device)
        return stream is not None and (device in self._talk or self._queue.pending(device))

    async def _save_resume_points(self) -> None:
        for stream in tuple(self._streams.values()):
            point = stream.resume_point()
            if point is None or not stream.dirty:
                continue
            stream.dirty = False
            try:
                await self._store.save_resume(point)
            except StoreError as problem:
                stream.dirty = True
                self.warn("disk", str(problem))
                return
