"""What stays open: a session's events as server-sent events, and its microphone as a WebSocket."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from minerva_hub.auth import source
from minerva_hub.cf_voice.events import Event, sse
from minerva_hub.cf_voice.feed import Feed
from minerva_hub.cf_voice.problems import VoiceError
from minerva_hub.cf_voice.requests import MAX_MESSAGE, RATE
from minerva_hub.cf_voice.session import Session
from minerva_hub.cf_voice.sessions import Sessions
from minerva_hub.errors import PeerError
from minerva_hub.link.rate import Rate

HEARTBEAT_S: Final = 15.0
STALL_S: Final = 30.0  # a reader that takes nothing for so long is gone
LEAD_MS: Final = 1500  # how far a microphone may run ahead of real time: what a network held up comes at once
MESSAGES_PER_S, BURST = (
    100.0,
    200,
)  # of a microphone: Linnet sends 10 a second, a worklet's own blocks are 125

_log = logging.getLogger(__name__)


class BadSoundError(VoiceError):
    """A message of the microphone is none; `close` is the WebSocket's code for that."""

    def __init__(self, close: int, message: str) -> None:
        super().__init__(422, "sound", message)
        self.close = close


class Streams:
    """Handlers over the sessions."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add_to(self, app: web.Application) -> None:
        """Put the resources on an application."""
        app.router.add_get("/session/{id}/stream", self.events, allow_head=False)
        app.router.add_get("/session/{id}/audio", self.audio, allow_head=False)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET /session/{id}/stream."""
        session = self._sessions.named(request.match_info["id"])
        feed = session.subscribe()
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx and its kind would hold events back
            }
        )
        try:
            await response.prepare(request)
            await _send(response, feed)
        except (ConnectionError, TimeoutError):
            pass  # the reader left, or reads nothing: history has what it missed
        finally:
            session.unsubscribe(feed)
        return response

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """WS /session/{id}/audio: int16, 16 kHz, mono, in binary messages; each is answered."""
        session = self._sessions.named(request.match_info["id"])
        if session.socket is not None:
            raise VoiceError(409, "has_microphone", f"session {session.id} has a microphone open already")
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, heartbeat=HEARTBEAT_S, compress=False)
        session.socket = socket
        try:
            await socket.prepare(request)
            session.source = source(request)
            await self._listen(session, socket)
        except BadSoundError as problem:
            await socket.close(code=problem.close, message=str(problem).encode()[:120])
        except PeerError as problem:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(problem).encode()[:120])
        except (ConnectionError, TimeoutError):
            await socket.close()
        finally:
            session.socket = None
            session.source = ""
            if not session.is_over():
                session.guest.pause()
        return socket

    async def _listen(self, session: Session, socket: web.WebSocketResponse) -> None:
        rate = Rate(per_s=MESSAGES_PER_S, burst=BURST)
        async for message in socket:
            if session.is_over():
                return
            pcm = _sound(message.type, message.data, rate)
            await asyncio.sleep(session.guest.ahead_s(len(pcm) * 1000 // (2 * RATE), LEAD_MS))
            if session.is_over():
                return
            taken = session.feed(pcm, session.source)
            async with asyncio.timeout(STALL_S):
                await socket.send_json({"ok": taken, "bytes": len(pcm)})


def _sound(kind: WSMsgType, data: object, rate: Rate) -> bytes:
    if kind is not WSMsgType.BINARY or not isinstance(data, bytes):
        raise BadSoundError(WSCloseCode.UNSUPPORTED_DATA, "a message is text; sound is binary, int16")
    if not data or len(data) % 2:
        raise BadSoundError(
            WSCloseCode.INVALID_TEXT, f"a message has {len(data)} bytes; a sample of int16 has two"
        )
    if not rate.allow():
        raise BadSoundError(
            WSCloseCode.POLICY_VIOLATION, f"more than {MESSAGES_PER_S:g} messages a second; send 100 ms each"
        )
    return data


async def _send(response: web.StreamResponse, feed: Feed[Event]) -> None:
    await _write(response, b": heartbeat\n\n")
    while True:
        came = await feed.wait(HEARTBEAT_S)
        frames = b"".join(sse(event) for event in feed.drain())
        if frames or not came:
            await _write(response, frames or b": heartbeat\n\n")
        if feed.closed:
            return


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(STALL_S):
        await response.write(data)
