"""Sounds in the pipeline: features of what streams bring, once; the engine; each stream's own rules.

The event loop only puts packets into boxes; a thread works through the boxes of all streams, some times a
second. A stream that brings more than is worked through loses its oldest, which is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from minerva.wire import HOP_MS, SAMPLE_RATE
from numpy.typing import NDArray

from minerva_hub.acoustic.base import MAX_BATCH, Batch, SoundEngine
from minerva_hub.acoustic.choose import choose_sounds
from minerva_hub.acoustic.labels import ALARMS, BACKGROUND, LABELS
from minerva_hub.acoustic.patches import Cutter, Patch
from minerva_hub.acoustic.tracker import SoundEvent, Tracker
from minerva_hub.audio.mel_stream import MelStream
from minerva_hub.config import SoundsConfig
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo, NewSound

STEP_S: Final = 0.24  # half a patch's step: what is heard is told within a second of what makes it sure
MAX_WAITING_MS: Final = 30_000  # of a stream: a megabyte; so much a device sends again after a cut
CHUNK_MS: Final = 10_000  # of a stream in one go, so that a burst of one does not hold up the others
JUMP_MS: Final = 40  # as the ear has it: less is the clock's jitter
QUIET_MS: Final = 8000  # a stream that brings nothing for so long: what went on has ended; T4 pauses for five
SLOW_S: Final = 10.0  # a round takes milliseconds: an engine that takes so long hangs, or the computer does
TOLD: Final = frozenset(LABELS) - {"speech", *BACKGROUND}  # speech has lines of its own


@dataclass(frozen=True, slots=True, eq=False)
class _Packet:
    """int16 (n,) of audio, or uint8 (n, 64) of features, from `start_ms` (UTC) on."""

    data: NDArray[np.int16] | NDArray[np.uint8]
    start_ms: int
    begins: bool

    @property
    def end_ms(self) -> int:
        """Where what follows without a gap begins."""
        if self.data.ndim == 2:
            return self.start_ms + HOP_MS * len(self.data)
        return self.start_ms + len(self.data) * 1000 // SAMPLE_RATE


class SoundBox:
    """What one stream brought and the engine has not heard yet; `put` is called in the event loop."""

    def __init__(self, device: str, room: str, sensitivity: float) -> None:
        self.device = device
        self.room = room
        self.dropped = 0
        self.closed = self.forgotten = False
        self._waiting: deque[_Packet] = deque()
        self._waiting_ms = 0
        self._mel, self._cutter, self._tracker = MelStream(), Cutter(), Tracker(sensitivity=sensitivity)
        self.newest_s = 0.0
        self.going_on = False  # whether there may be something to finish
        self._end_ms: int | None = None
        self._is_audio = True

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: NDArray[np.int16] | NDArray[np.uint8], start_ms: int, begins: bool) -> None:
        """Take a packet; the oldest goes when too much waits."""
        packet = _Packet(data, start_ms, begins)
        self.newest_s, self.going_on = time.monotonic(), True
        self._waiting.append(packet)
        self._waiting_ms += packet.end_ms - start_ms
        while self._waiting_ms > MAX_WAITING_MS:
            oldest = self._waiting.popleft()
            self._waiting_ms -= oldest.end_ms - oldest.start_ms
            self.dropped += 1

    def take(self) -> list[_Packet]:
        """What is to be heard next, CHUNK_MS at most."""
        out: list[_Packet] = []
        length_ms = 0
        while self._waiting and length_ms < CHUNK_MS:
            packet = self._waiting.popleft()
            length_ms += packet.end_ms - packet.start_ms
            out.append(packet)
        self._waiting_ms -= length_ms
        return out

    def forget(self) -> None:
        """Its device was removed: nothing of it is told any more."""
        self.closed, self.forgotten, self.going_on = True, True, False
        self._waiting.clear()
        self._waiting_ms = 0

    # --- in the thread --------------------------------------------------------------------------------------

    def patches(self, packets: list[_Packet], ended: list[NewSound]) -> Iterator[Patch]:
        """Packets -> patches; what a gap between packets ends goes to `ended`."""
        for packet in packets:
            is_audio = packet.data.ndim == 1
            jump = self._end_ms is None or abs(packet.start_ms - self._end_ms) > JUMP_MS
            if packet.begins or jump or is_audio != self._is_audio:
                ended += self._after_a_gap(packet.start_ms)
                self._mel.restart()
                self._cutter.restart(packet.start_ms)
            self._end_ms, self._is_audio = packet.end_ms, is_audio
            if is_audio:
                samples = packet.data.astype(np.int16, copy=False)
                yield from self._cutter.feed(self._mel.feed(samples), samples)
            else:
                yield from self._cutter.feed(packet.data.astype(np.uint8, copy=False))

    def _after_a_gap(self, start_ms: int) -> list[NewSound]:
        """A gate closes between the tones of an alarm: only a longer gap ends what went on."""
        if self._end_ms is not None and 0 <= start_ms - self._end_ms <= QUIET_MS:
            return []
        return [sound for event in self._tracker.restart() for sound in self._sounds(event)]

    def judge(self, patch: Patch, scores: NDArray[np.floating[Any]]) -> list[NewSound]:
        """The scores of a patch -> what is to be told now."""
        return [s for event in self._tracker.feed(patch.start_ms, scores) for s in self._sounds(event)]

    def finish(self) -> list[NewSound]:
        """The stream has ended, or brings nothing for now."""
        self._end_ms, self.going_on = None, False
        return [sound for event in self._tracker.restart() for sound in self._sounds(event)]

    def _sounds(self, event: SoundEvent) -> Iterator[NewSound]:
        """An alarm is told as it begins, everything else when it has ended and its length is known."""
        if event.label not in TOLD or event.ended == (event.label in ALARMS):
            return
        if self.forgotten:
            return
        yield NewSound(
            device=self.device,
            room=self.room,
            label=event.label,
            score=round(event.score, 3),
            start_ms=event.start_ms,
            end_ms=event.end_ms,
        )


class Sounds:
    """The engine, and the boxes of all streams."""

    def __init__(
        self,
        config: SoundsConfig,
        models: Path,
        note: Callable[[NewSound], None],
        show: Callable[[EngineInfo], None],
        warn: Callable[[str, str | None], None],
        drops: Counter[str],
        *,
        choose: Callable[[SoundsConfig, Path], SoundEngine | None] = choose_sounds,
    ) -> None:
        self._config, self._models = config, models
        self._note, self._show, self._warn, self._drops = note, show, warn, drops
        self._choose = choose
        self._boxes: list[SoundBox] = []
        self._dropped = 0  # by boxes that are gone
        self._off = config.engine == "off"
        self._thread = ThreadPoolExecutor(1, "sounds")

    def __len__(self) -> int:
        """Packets that wait for the engine."""
        return sum(len(box) for box in self._boxes)

    def open(self, device: str, room: str) -> SoundBox | None:
        """A box for a new stream; None where sounds are off or cannot be heard."""
        if self._off:
            return None
        box = SoundBox(device, room, self._config.sensitivity)
        self._boxes.append(box)
        return box

    async def run(self) -> None:
        """Load the engine, then hear what comes, for ever."""
        try:
            engine = await self._load()
            while engine is not None:
                await asyncio.sleep(STEP_S)
                await self._round(engine)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> SoundEngine | None:
        if self._off:
            self._show(EngineInfo(stage="sounds", name="off", state="off", reason="Switched off."))
            return None
        self._show(EngineInfo(stage="sounds", name=self._config.engine, state="loading"))
        loop = asyncio.get_running_loop()
        try:
            engine = await loop.run_in_executor(self._thread, self._choose, self._config, self._models)
        except EngineUnavailableError as error:
            self._off = True
            self._boxes.clear()
            self._show(EngineInfo(stage="sounds", name=self._config.engine, state="error", reason=str(error)))
            return None
        if engine is not None:
            self._show(engine.info)
        return engine

    async def _round(self, engine: SoundEngine) -> None:
        quiet_s = time.monotonic() - QUIET_MS / 1000
        work = [(box, box.take()) for box in self._boxes if len(box)]
        over = [box for box in self._boxes if not len(box) and (box.closed or box.newest_s < quiet_s)]
        if work:
            loop = asyncio.get_running_loop()
            heard = loop.run_in_executor(self._thread, _hear, engine, work)
            await asyncio.wait({heard}, timeout=SLOW_S)
            if not heard.done():
                self._warn("sounds", f"{engine.info.name} has not answered for {SLOW_S:.0f} s: sounds wait")
            try:
                sounds = await heard
            except EngineError as error:
                self._drops["sound_errors"] += 1
                self._warn("sounds", str(error))
            else:
                self._warn("sounds", None)
                for sound in sounds:
                    self._note(sound)
        worked = {id(box) for box, _ in work}
        for box in over:
            if id(box) not in worked and box.going_on:
                for sound in box.finish():
                    self._note(sound)
        for box in [box for box in self._boxes if box.closed and not len(box) and not box.going_on]:
            self._dropped += box.dropped
            self._boxes.remove(box)
        self._drops["sound_packets"] = self._dropped + sum(box.dropped for box in self._boxes)


def _hear(engine: SoundEngine, work: list[tuple[SoundBox, list[_Packet]]]) -> list[NewSound]:
    """In the thread: the packets of all streams, their patches in as few batches as possible."""
    out: list[NewSound] = []
    patches = [(box, patch) for box, packets in work for patch in box.patches(packets, out)]
    for at in range(0, len(patches), MAX_BATCH):
        part = patches[at : at + MAX_BATCH]
        rows = np.stack([patch.rows for _, patch in part])
        samples = [patch.samples for _, patch in part]
        for (box, patch), row in zip(part, _scores(engine, rows, samples), strict=True):
            out += box.judge(patch, row)
    return out


def _scores(
    engine: SoundEngine, rows: NDArray[np.uint8], samples: Sequence[NDArray[np.int16] | None]
) -> NDArray[np.floating[Any]]:
    """Patches of devices that send audio apart from those of devices that send features alone."""
    out = np.zeros((len(rows), len(LABELS)), np.float32)
    heard = np.array([one is not None for one in samples])
    if heard.any():
        waveforms = np.stack([one for one in samples if one is not None])
        out[heard] = engine.scores(Batch(rows[heard], waveforms))
    if not heard.all():
        out[~heard] = engine.scores(Batch(rows[~heard]))
    return out
