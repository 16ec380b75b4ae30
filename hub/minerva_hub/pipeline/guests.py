"""Guests: sound that a program brings instead of a device, through the same stages, in memory only.

What is made of it is told to whoever opened the guest, and to nobody else: nothing goes into the store or
over the bus, no partial is made, and words, voices and tones die with the guest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from minerva.wire import FRAME_MS, FRAME_SAMPLES, MAX_FRAMES, PCM_S16LE, U32

from minerva_hub.config import HubConfig
from minerva_hub.diarize import Diarizer, SpeakerBook, choose_diarizer
from minerva_hub.events import DeviceRecord, Gap, NewSound, ResumePoint, Utterance
from minerva_hub.pipeline.scribe import Draft, line
from minerva_hub.pipeline.stream import Stream
from minerva_hub.pipeline.tones import Tones

PREFIX: Final = "guest/"  # no device's id has a slash
BEGAN_MS: Final = (
    60_000  # a guest's clock when it is opened: what it brings first may be older than that moment
)
LATE_MS: Final = 2000  # sound that comes so late was not under way: nothing was brought meanwhile
MAX_WAIT_S: Final = 15.0  # the longest chunk of a program is ten
JUDGED: Final = FRAME_SAMPLES * 2  # samples: less than a window of the detector waits for the rest of it
FRAME_BYTES: Final = FRAME_SAMPLES * 2
BEGINS, ENDS = 1, 2


@dataclass(frozen=True, slots=True)
class Said:
    """What was written down of one segment; the ids count from 1 within the guest."""

    utterances: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Utterances turned out to be by others: id to speaker."""

    speakers: dict[int, str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A stretch that came and could not be worked on: the hub had too much to do."""

    start_ms: int
    end_ms: int


News = Said | Relabelled | NewSound | Lost


class Host(Protocol):
    """What the pipeline does for guests."""

    def open_stream(  # noqa: D102 - all as in Pipeline
        self, record: DeviceRecord, boot_id: str, time_ms: int, point: ResumePoint | None
    ) -> Stream: ...

    def accept(  # noqa: D102
        self, stream: Stream, kind: int, flags: int, frames: int, seq: int, time_u32: int, payload: memoryview
    ) -> bool: ...

    def flush(self, stream: Stream) -> None: ...  # noqa: D102

    def forget(self, device: str) -> None: ...  # noqa: D102

    def pending(self, device: str) -> bool: ...  # noqa: D102


class Guest:
    """One program's sound: int16, 16 kHz, mono. Times are UTC in ms."""

    def __init__(
        self, host: Host, stream: Stream, tell: Callable[[News], None], book: Callable[[], SpeakerBook[Any]]
    ) -> None:
        self.stream = stream
        self.dropped_ms = 0
        self.ended = False
        self._host = host
        self._tell = tell
        self._open_book = book
        self._book: SpeakerBook[Any] | None = None  # opened when there is a voice: then its engine is loaded
        self._tones = Tones()
        self._rest = b""  # less than a frame
        self._seq = 0
        self._next_ms: int | None = None  # the guest's clock at the end of what came
        self._begins = True
        self._count = 0

    # --- what the program brings ---------------------------------------------------------------------------

    @property
    def began_ms(self) -> int:
        """UTC of this guest's time 0."""
        return self.stream.clock.offset_ms

    def ahead_s(self, duration_ms: int, lead_ms: int) -> float:
        """How long to wait before so much more is fed, for it to run `lead_ms` ahead of real time at most.

        At most MAX_WAIT_S: further ahead is whoever's clock was set back, which `feed` then refuses.
        """
        if self._next_ms is None:
            return 0.0
        ahead_ms = self._next_ms + duration_ms - self._now_ms() - lead_ms
        return min(MAX_WAIT_S, max(0, ahead_ms) / 1000)

    def feed(self, pcm: bytes) -> int:
        """Take int16 samples, little-endian, of any number -> UTC of the first; what is full is dropped.

        Frames of 20 ms go on; what is left of one waits for the next samples. PeerError as Pipeline.accept.
        """
        start_ms = self._place(len(pcm) * 1000 // (2 * 16_000))
        data = self._rest + pcm
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        step = FRAME_BYTES * MAX_FRAMES
        for at in range(0, whole, step):
            self._packet(data[at : min(at + step, whole)])
        return start_ms + self.began_ms

    def pause(self) -> None:
        """The sound stops here: speech that goes on has ended, and what comes next begins anew."""
        if self._rest:
            self._packet(self._rest.ljust(FRAME_BYTES, b"\0"), ENDS)
            self._rest = b""
        elif not self._begins:
            self._host.flush(self.stream)
        self._begins = True

    def finish(self) -> None:
        """No more comes at all: what is said and what sounds has ended."""
        self.pause()
        self.stream.no_more_sounds()

    @property
    def paused(self) -> bool:
        """Whether no sound is under way."""
        return self._begins and not self._rest

    @property
    def waiting(self) -> bool:
        """Whether something that was brought is not judged or not written down yet."""
        if self._begins and self._seq:  # after a pause everything is settled in the end
            return self.stream.settled_seq != (self._seq - 1) & U32
        return self.stream.ear.pending >= JUDGED or self._host.pending(self.stream.device)

    @property
    def sounding(self) -> bool:
        """Whether sounds of what was brought may still be told."""
        box = self.stream.sounds
        return box is not None and (bool(len(box)) or box.going_on)

    @property
    def speaking(self) -> bool:
        """Whether speech is going on, or is being written down."""
        return self.stream.ear.speaking or self._host.pending(self.stream.device)

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 - self.began_ms

    def _place(self, duration_ms: int) -> int:
        """The guest's clock at the start of what comes: after what came, unless nothing came for a while."""
        latest_ms = max(0, self._now_ms() - duration_ms)
        if self._next_ms is None or latest_ms - self._next_ms > LATE_MS:
            if self._next_ms is not None:
                self.pause()
            self._next_ms = latest_ms
        return self._next_ms

    def _packet(self, data: bytes, flags: int = 0) -> None:
        assert self._next_ms is not None  # noqa: S101 - _place set it
        frames = len(data) // FRAME_BYTES
        if self._begins:
            flags |= BEGINS
        taken = self._host.accept(
            self.stream, PCM_S16LE, flags, frames, self._seq, self._next_ms & U32, memoryview(data)
        )
        self._begins = False
        if not taken:
            self.dropped_ms += frames * FRAME_MS
        self._seq = (self._seq + 1) & U32
        self._next_ms += frames * FRAME_MS

    # --- what the pipeline makes of it ---------------------------------------------------------------------

    async def add(
        self,
        device: str,
        room: str,
        engine: str,
        drafts: Sequence[Draft],
        resume: ResumePoint | None,
        *,
        late_s: int = 0,
    ) -> None:
        """Tell what was said, in place of Conversations.add: nothing is stored."""
        if self._book is None:
            self._book = self._open_book()
        first = self._count + 1
        self._count += len(drafts)
        voices = [
            (first + i, draft.voice, (draft.end_ms - draft.start_ms) / 1000) for i, draft in enumerate(drafts)
        ]
        assigned = await asyncio.to_thread(self._book.add, voices)
        if self.ended:
            return
        self._tones.relabel(assigned.changed)
        said = []
        for key, draft in enumerate(drafts, first):
            speaker = assigned.labels[key]
            tone = self._tones.tone(key, speaker, draft.sounding)
            new = line(
                draft, session_id=0, device=device, room=room, speaker=speaker, engine=engine, tone=tone
            )
            said.append(Utterance(id=key, **msgspec.structs.asdict(new)))
        self._tell(Said(tuple(said)))
        if assigned.changed:
            self._tell(Relabelled(dict(assigned.changed)))

    def note(self, what: Gap | NewSound) -> None:
        """Tell a sound or a loss, in place of Notes.put."""
        if not self.ended:
            self._tell(Lost(what.start_ms, what.end_ms) if isinstance(what, Gap) else what)


class Guests:
    """The guests there are, by their stream's name."""

    def __init__(self, host: Host, config: HubConfig, diarizer: Callable[[], Diarizer[Any]]) -> None:
        self._host = host
        self._config = config
        self._diarizer = diarizer
        self._open: dict[str, Guest] = {}

    def open(self, name: str, tell: Callable[[News], None], *, speakers: int | None = None) -> Guest:
        """A new guest; `speakers`: at most so many voices are told apart.

        ValueError when the name is taken.
        """
        key = PREFIX + name
        if key in self._open:
            raise ValueError(f"there is a guest {name}")
        record = DeviceRecord(id=key, room=name, token_hash="", created_ms=0)
        stream = self._host.open_stream(record, key, BEGAN_MS, None)
        stream.guest = True
        self._open[key] = guest = Guest(self._host, stream, tell, lambda: self._book(speakers))
        return guest

    def end(self, guest: Guest) -> None:
        """The guest leaves: what is not written down yet is forgotten, and who spoke."""
        guest.ended = True
        self._host.forget(guest.stream.device)
        self._open.pop(guest.stream.device, None)

    def or_else(self, add: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        """As Conversations.add, which is `add`; what a guest said goes to the guest, and never there."""

        async def route(device: str, *said: Any, **more: Any) -> object:
            if not device.startswith(PREFIX):
                return await add(device, *said, **more)
            guest = self._open.get(device)
            if guest is not None:
                await guest.add(device, *said, **more)
            return None

        return route

    def note(self, what: Gap | NewSound) -> bool:
        """Tell a guest's sound or loss to the guest; False when it is a device's."""
        if not what.device.startswith(PREFIX):
            return False
        guest = self._open.get(what.device)
        if guest is not None:
            guest.note(what)
        return True

    def _book(self, speakers: int | None) -> SpeakerBook[Any]:
        if speakers is None:
            return self._diarizer().open_book()
        bounded = msgspec.structs.replace(self._config.diarize, max_speakers=speakers)
        return choose_diarizer(bounded).open_book()
