"""One session of a program: its sound, what was heard in it, who reads that. In memory, gone when it ends."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from aiohttp import WSCloseCode, web

from minerva_hub.cf_voice import mapping
from minerva_hub.cf_voice.events import (
    Event,
    Heard,
    ServiceEvent,
    ServiceStatus,
    SpeakerEvent,
    ToneEvent,
)
from minerva_hub.cf_voice.feed import Feed
from minerva_hub.cf_voice.problems import VoiceError
from minerva_hub.cf_voice.requests import Correction
from minerva_hub.events import Affect, NewSound
from minerva_hub.pipeline.guests import Guest, Lost, News, Relabelled, Said

HISTORY: Final = 500  # events: an hour of talk, some 200 kB
CORRECTIONS: Final = 100  # of a session; each has a few kB
READERS: Final = 8  # streams of one session: a page, its reloads, a script
QUIET_S: Final = 2.0  # without sound: what was being said is over; without a voice: nobody is heard


class Kept(msgspec.Struct, frozen=True):
    """An event of the history, and the utterance that it is of."""

    utterance: int | None
    event: Heard


class Session:
    """A session that goes on. `opened` gives its guest, told where to bring its news."""

    def __init__(
        self,
        id_: str,
        opened: Callable[[Callable[[News], None]], Guest],
        *,
        elcor: bool = False,
        language: str = "",
    ) -> None:
        self.id = id_
        self.elcor = elcor
        self.language = language  # that was asked for; the hub's own setting counts
        self.state: Literal["running", "stopped"] = "running"
        self.history: deque[Kept] = deque(maxlen=HISTORY)
        self.corrections: list[Correction] = []
        self.answers: Feed[Heard] | None = None  # for /classify, from its first chunk on
        self.chunks = asyncio.Lock()
        self.source = ""  # the address that sound comes from now
        self.socket: web.WebSocketResponse | None = None
        self.lost_ms = 0
        self.unmapped = 0  # sounds that cf-voice has no word for
        self.dropped = 0  # events, of readers that have left
        self.used_s = self.fed_s = self._voice_s = time.monotonic()
        self._feeds: list[Feed[Event]] = []
        self._offset_s: float | None = None  # the session's clock less UTC
        self._speaker = ""
        self._told: list[tuple[ServiceStatus, str]] = []
        self.guest = opened(self._news)

    # --- sound ---------------------------------------------------------------------------------------------

    def feed(self, pcm: bytes, source: str, timestamp: float | None = None) -> bool:
        """Take int16 samples that begin at `timestamp` on the caller's clock; False when some are dropped."""
        before = self.guest.dropped_ms
        start_ms = self.guest.feed(pcm)
        if timestamp is not None:
            self._offset_s = timestamp - start_ms / 1000
        elif self._offset_s is None:
            self._offset_s = -start_ms / 1000
        self.source = source
        self.used_s = self.fed_s = time.monotonic()
        return self.guest.dropped_ms == before

    def look(self) -> None:
        """Once a second: end what nobody goes on with, and say when nobody is heard any more."""
        quiet_s = time.monotonic() - self.fed_s
        if quiet_s >= QUIET_S and not self.guest.paused:
            self.guest.pause()
        if quiet_s >= QUIET_S and self.socket is None:
            self.source = ""
        if self.guest.speaking or self.guest.waiting:
            self._voice_s = time.monotonic()
        elif time.monotonic() - self._voice_s >= QUIET_S and self._speaker not in ("", "no_speaker"):
            now_ms = time.time_ns() // 1_000_000
            self._tell_speaker(
                SpeakerEvent(
                    session_id=self.id, label="no_speaker", confidence=1.0, timestamp=self._at(now_ms)
                )
            )

    def _at(self, utc_ms: int) -> float:
        return round(utc_ms / 1000 + (self._offset_s or 0.0), 3)

    # --- what was heard ------------------------------------------------------------------------------------

    def _news(self, news: News) -> None:
        match news:
            case Said(utterances):
                self._tell_speaker(mapping.voices(utterances, self.id, self._at))
                for id_, event in mapping.said(utterances, self.id, self._at, elcor=self.elcor):
                    self._tell(event, id_)
            case Relabelled(speakers):
                kept = [
                    Kept(one.utterance, mapping.with_speaker(one.event, speakers[one.utterance]))
                    if one.utterance in speakers
                    else one
                    for one in self.history
                ]
                self.history = deque(kept, maxlen=HISTORY)
            case NewSound():
                sound = mapping.sound(news, self.id, self._at)
                if sound is None:
                    self.unmapped += 1
                else:
                    self._tell(sound)
            case Lost(start_ms, end_ms):
                self.lost_ms += end_ms - start_ms
                seconds = (end_ms - start_ms) / 1000
                self._broadcast(
                    self._service(
                        "warning", f"{seconds:.1f} s of sound were lost: the hub has too much to do."
                    )
                )

    def _tell(self, event: Heard, utterance: int | None = None) -> None:
        self.history.append(Kept(utterance, event))
        if self.answers is not None:
            self.answers.put(event)
        self._broadcast(event)

    def _tell_speaker(self, event: SpeakerEvent) -> None:
        self._voice_s = time.monotonic()
        if event.label != self._speaker:
            self._speaker = event.label
            self._tell(event)

    def _broadcast(self, event: Event) -> None:
        for feed in self._feeds:
            feed.put(event)

    # --- readers -------------------------------------------------------------------------------------------

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._feeds)

    @property
    def lost_events(self) -> int:
        """Events that readers were too slow for."""
        unread = 0 if self.answers is None else self.answers.dropped
        return self.dropped + unread + sum(feed.dropped for feed in self._feeds)

    def subscribe(self) -> Feed[Event]:
        """Events from now on, after how the hub's engines stand. VoiceError 503 when there are too many."""
        if len(self._feeds) >= READERS:
            raise VoiceError(
                503, "too_many_readers", f"session {self.id} has {READERS} streams open, the limit"
            )
        feed: Feed[Event] = Feed()
        for status, detail in self._told:
            feed.put(self._service(status, detail))
        self._feeds.append(feed)
        return feed

    def unsubscribe(self, feed: Feed[Event]) -> None:
        """A reader left."""
        self.dropped += feed.dropped
        self._feeds.remove(feed)
        self.used_s = time.monotonic()

    def stand(self, told: Sequence[tuple[ServiceStatus, str]]) -> None:
        """How the hub's engines stand; readers are told when that changes."""
        if list(told) == self._told:
            return
        was_loading = any(status == "loading" and detail for status, detail in self._told)
        self._told = list(told)
        if was_loading and all(status != "loading" for status, _ in told):
            self._broadcast(self._service("loading", ""))  # Linnet's page takes its line about loading away
        for status, detail in told:
            self._broadcast(self._service(status, detail))

    def _service(self, status: ServiceStatus, detail: str) -> ServiceEvent:
        return ServiceEvent(session_id=self.id, status=status, detail=detail)

    # --- people --------------------------------------------------------------------------------------------

    def tones(self, least: float = 0.0) -> list[ToneEvent]:
        """The tone events that are kept and at least so certain, oldest first."""
        return [
            one.event
            for one in self.history
            if isinstance(one.event, ToneEvent) and one.event.confidence >= least
        ]

    def correct(self, correction: Correction) -> bool:
        """Keep a correction; whether it named a label that could be put right in what is kept.

        VoiceError 429 when there are too many.
        """
        if len(self.corrections) >= CORRECTIONS:
            raise VoiceError(
                429, "too_many_corrections", f"session {self.id} has {CORRECTIONS} corrections, the limit"
            )
        self.corrections.append(correction)
        affect, label = correction.affect, correction.named("label")
        if correction.rating != "down" or not affect or not label:
            return False
        for place in range(len(self.history) - 1, -1, -1):
            kept = self.history[place]
            if isinstance(kept.event, ToneEvent) and kept.event.label == label:
                self.history[place] = Kept(kept.utterance, corrected(kept.event, affect))
                return True
        return False

    def is_over(self) -> bool:
        """Whether it was ended."""
        return self.state == "stopped"

    async def end(self) -> None:
        """Nobody reads or brings anything any more; all that was kept is let go."""
        self.state = "stopped"
        for feed in self._feeds:
            feed.close()
        self.history.clear()
        self.corrections.clear()
        if self.socket is not None:
            await self.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the session ended")


def corrected(event: ToneEvent, affect: Any) -> ToneEvent:
    """The event with the affect that a person named, of which there is no doubt."""
    word: Affect = affect
    return msgspec.structs.replace(event, affect=word, label=word, confidence=1.0)
