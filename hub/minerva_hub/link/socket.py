"""One device's WebSocket: feeds the pipeline, informs the fleet, ends what breaks the protocol."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from minerva import messages, wire

from minerva_hub.audio import mel64
from minerva_hub.auth import source
from minerva_hub.errors import PeerError, TooManyAttemptsError
from minerva_hub.events import Level, NewSound, SelfTest, UpdateState
from minerva_hub.fleet import Device
from minerva_hub.link.hub import LinkHub
from minerva_hub.link.rate import Rate
from minerva_hub.link.session import LinkSession
from minerva_hub.pipeline import Stream
from minerva_hub.pipeline.stream import MAX_AGE_MS, MAX_JUMP_MS

_log = logging.getLogger(__name__)

HELLO_S = 5.0
HEARTBEAT_S = 15.0
SEND_S = 10.0  # a device that takes nothing for so long is gone or hostile
ACK_S = 1.0
MAX_OUTBOX = 64  # control messages; acks are merged, so a device that reads never has more than a few waiting
MAX_OTHERS_PER_S = 10  # health, mute, error, update: a device has a few a minute
MAX_FRAME = 1 << 16  # aiohttp's own bound; what is between it and wire.MAX_MEDIA still gets a typed error
FORBIDDEN_S = 2.0  # packets under way when the mode was lowered; after that they are a broken promise
CROWDED_LOOK_S = 0.025
CROWDED_LOOKS = 200  # 5 s: so long a burst waits for the detector; a ping allows 7 s
# A ring of 30 s in packets of 60 ms comes again within a second, the shortest packets (10 ms of features)
# five times faster than they are made. What is sent faster waits in the device, and costs the others nothing.
MAX_FRAMES_PER_S = 500
FRAMES_AT_ONCE = 100  # a few milliseconds of the hub's time
PACE_S = 0.1
CLOSE_REASON = 123  # bytes that a WebSocket close frame can carry


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Link:
    """One connection: reads and writes until it ends."""

    def __init__(self, ws: web.WebSocketResponse, hub: LinkHub, request: web.Request) -> None:
        self._ws = ws
        self._hub = hub
        self._address = request.remote
        self._source = source(request)
        self._transport = request.transport
        self._session = LinkSession()
        self._outbox: deque[dict[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._ending: PeerError | None = None
        self._ack_due_s = 0.0
        self._forbidden = 0
        self._levels = Rate(per_s=5, burst=10)
        self._events = Rate(per_s=5, burst=20)
        self._others = Rate(per_s=MAX_OTHERS_PER_S, burst=100)
        self._frames = Rate(per_s=MAX_FRAMES_PER_S, burst=FRAMES_AT_ONCE)
        self._pauses = 0

    # --- what the fleet calls ---

    def send(self, message: dict[str, Any]) -> None:
        """Queue a control message."""
        if len(self._outbox) >= MAX_OUTBOX:
            self.close("overloaded", f"{self._session.who} does not read: {MAX_OUTBOX} messages wait for it")
            return
        self._outbox.append(message)
        self._wake.set()

    def close(self, code: str, text: str) -> None:
        """End the connection with a fatal error."""
        if self._ending is None:
            self._ending = PeerError(code, text)
            self._wake.set()

    # --- the connection ---

    async def run(self) -> None:
        """Until the connection ends, whoever ends it."""
        writer = asyncio.create_task(self._write(), name="link-writer")
        try:
            await self._read()
        except PeerError as problem:
            self.close(problem.code, str(problem))
        except TimeoutError:
            self.close("timeout", f"no hello within {HELLO_S:g} s")
        except Exception:
            _log.exception("the link of %s failed", self._session.who)
            self.close("internal", "the hub failed on this connection; its log says why")
        finally:
            if self._ending is None:
                writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outbox:
                    message = self._outbox.popleft()
                    await asyncio.wait_for(
                        self._ws.send_str(messages.encode_message(message, messages.FROM_HUB)), SEND_S
                    )
                if self._ending is not None:
                    error = messages.error_message(self._ending.code, str(self._ending), True)
                    await asyncio.wait_for(
                        self._ws.send_str(messages.encode_message(error, messages.FROM_HUB)), SEND_S
                    )
                    reason = self._ending.code.encode()[:CLOSE_REASON]
                    await self._ws.close(code=WSCloseCode.POLICY_VIOLATION, message=reason, drain=False)
                    return
        except (ConnectionError, TimeoutError, RuntimeError):
            # Gone, or takes nothing: cut it, so that the reader ends too.
            if self._transport is not None:
                self._transport.abort()

    async def _read(self) -> None:
        async with asyncio.timeout(HELLO_S):
            hello = await self._hello()
        device = await self._authorise(hello)
        point = await self._hub.pipeline.resume_point(device.record.id, hello["boot_id"])
        if self._hub.fleet.find(device.record.id) is not device:
            raise PeerError("unauthorized", f"device {device.record.id} was removed from this hub")
        # From here to the welcome nothing waits: no other connection comes between.
        stream = self._hub.pipeline.open_stream(device.record, hello["boot_id"], hello["time_ms"], point)
        self._welcome(device, stream, hello)
        problem: str | None = None
        try:
            await self._serve(device, stream)
        except PeerError as error:
            problem = f"{error.code}: {error}"
            raise
        finally:
            if self._ending is not None and self._ending.code != "replaced":
                problem = f"{self._ending.code}: {self._ending}"
            if device.wire is self:
                self._hub.pipeline.disconnected(stream)
            self._hub.fleet.disconnected(device, self, problem)

    async def _hello(self) -> dict[str, Any]:
        message = await self._ws.receive()
        if message.type is WSMsgType.TEXT:
            return self._session.receive_text(message.data)
        if message.type is WSMsgType.BINARY:
            self._session.receive_binary(message.data)
        raise PeerError("unexpected_message", "the connection ended before hello")

    async def _authorise(self, hello: dict[str, Any]) -> Device:
        id_ = hello["device"]
        record = await self._hub.store.device(id_)
        try:
            known = self._hub.tokens.admits(record, hello["token"], source=self._source, device=id_)
        except TooManyAttemptsError as problem:
            self._hub.drops["refused"] += 1
            raise PeerError("overloaded", str(problem)) from problem
        if not known:
            why = "has another token" if record is not None else "is not registered here"
            self._hub.fleet.refused(id_, f"unauthorized: a device that calls itself {id_} {why}")
            self._hub.drops["refused"] += 1
            raise PeerError(
                "unauthorized",
                f"hub {self._hub.hub_id} does not know device {id_} with this token: `minerva device add`",
            )
        device = self._hub.fleet.find(id_)
        if device is None:
            await self._hub.fleet.refresh()  # added a moment ago by the command
            device = self._hub.fleet.find(id_)
        if device is None:
            raise PeerError("unauthorized", f"device {id_} was removed from hub {self._hub.hub_id}")
        return device

    def _welcome(self, device: Device, stream: Stream, hello: dict[str, Any]) -> None:
        record = device.record
        self._session.welcomed()
        kind = self._hub.kind if self._hub.kind in hello["kinds"] else hello["kinds"][0]
        welcome = {
            "type": "welcome",
            "protocol": wire.PROTOCOL,
            "hub": self._hub.hub_id,
            "utc_ms": _now_ms(),
            "mode": _more_private(record.mode, hello["mode"]),
            "mute": record.muted,
            "kind": kind,
            "frames": wire.DEFAULT_FRAMES,
        }
        if stream.settled_seq is not None:
            welcome["resume"] = {"stream": 0, "seq": stream.settled_seq}
        self.send(welcome)
        firmware = hello["firmware"]
        self._hub.fleet.connected(
            device,
            self,
            address=self._address,
            firmware=f"{firmware['name']} {firmware['version']}",
            version=firmware["version"],
            variant=firmware["variant"],
            board=firmware["board"],
            slot=hello["slot"],
            modes=tuple(hello["modes"]),
            mode=hello["mode"],
            ceiling=hello["ceiling"],
            mute=hello["mute"],
            kind=kind,
            self_test=_compare(hello.get("self_test")),
            received=stream.received,
            slowed=0,
        )

    async def _serve(self, device: Device, stream: Stream) -> None:
        receive = self._ws.receive
        while self._ending is None:
            message = await receive()
            if not self._frames.allow():
                await self._keep_pace(device)
            if message.type is WSMsgType.BINARY:
                self._packet(device, stream, message.data)
                if stream.crowded:
                    await self._let_it_be_heard(stream)
            elif message.type is WSMsgType.TEXT:
                self._control(device, stream, self._session.receive_text(message.data))
            elif message.type is WSMsgType.ERROR:
                raise PeerError("too_long", f"{self._session.who}: {self._ws.exception()}")
            else:
                return

    async def _keep_pace(self, device: Device) -> None:
        """Read no more for a moment from a device that sends faster than any should: TCP makes it wait."""
        if self._pauses == 0:
            _log.warning("%s sends more than %d frames a second", self._session.who, MAX_FRAMES_PER_S)
        if self._pauses % 10 == 0 and device.wire is self:  # once a second is enough for whoever looks
            self._hub.fleet.reported(device, slowed=self._pauses + 1)
        self._pauses += 1
        await asyncio.sleep(PACE_S)
        self._frames.allow()

    async def _let_it_be_heard(self, stream: Stream) -> None:
        """Read no more until the detector has caught up: the rest waits in the device's ring, unharmed."""
        for _ in range(CROWDED_LOOKS):  # an overloaded hub drops after all, and counts it
            if not stream.crowded or self._ending is not None:
                return
            await asyncio.sleep(CROWDED_LOOK_S)

    def _packet(self, device: Device, stream: Stream, data: bytes) -> None:
        packet = self._session.receive_binary(data)
        if ("features" if packet.kind == wire.LOGMEL_U8 else "audio") not in device.permits():
            self._refuse_media(device, packet.kind)
            return
        self._hub.pipeline.accept(
            stream, packet.kind, packet.flags, packet.frames, packet.seq, packet.time_ms, packet.payload
        )
        now_s = time.monotonic()
        if now_s >= self._ack_due_s:
            self._ack_due_s = now_s + ACK_S
            self.send({"type": "ack", "stream": 0, "seq": stream.accepted_seq})

    def _refuse_media(self, device: Device, kind: int) -> None:
        self._forbidden += 1
        self._hub.drops["forbidden_media"] += 1
        if time.monotonic() - device.permit_changed_s > FORBIDDEN_S:
            info = device.info
            raise PeerError(
                "forbidden_media",
                f"{info.id} sends {wire.KIND_NAMES[kind]} although its mode is {info.mode}, mute {info.mute}",
            )

    def _control(self, device: Device, stream: Stream, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind not in ("level", "event") and not self._others.allow():
            raise PeerError(
                "overloaded",
                f"{self._session.who} sends more than {MAX_OTHERS_PER_S} {kind} messages a second",
            )
        if kind == "health":
            stream.clock.report(message["time_ms"], _now_ms())
            self.send({"type": "ack", "health": message["n"]})
            self._hub.fleet.reported(
                device,
                rssi_dbm=message.get("rssi"),
                heap_free=message["heap_free"],
                uptime_s=message["uptime_s"],
                noise_db=message.get("noise_db"),
                drops=message["drops"],
                received=stream.received,
                version=message["version"],
                slot=message["slot"],
                mode=message["mode"],
                mute=message["mute"],
                kind=message["kind"],
            )
        elif kind == "level":
            self._level(device, stream, message)
        elif kind == "event":
            self._event(device, stream, message)
        elif kind == "mute":
            self._hub.fleet.mute_changed(device, message["state"])
        elif kind == "update":
            self._update(device, message)
        elif kind == "error":
            self._hub.fleet.reported(device, problem=f"{message['code']}: {message['message']}")

    def _update(self, device: Device, message: dict[str, Any]) -> None:
        before = device.info.update
        self._hub.fleet.reported(
            device,
            update=UpdateState(
                state=message["state"],
                at_ms=_now_ms(),
                version=message.get("version") or "",
                progress=message.get("progress"),
                action=None if before is None else before.action,
                detail=message.get("code") or "",
            ),
        )

    def _level(self, device: Device, stream: Stream, message: dict[str, Any]) -> None:
        if not self._levels.allow():
            self._hub.drops["levels"] += 1
            return
        if not device.may_be_heard():
            self._hub.drops["muted_levels"] += 1  # it was under way when the mute came
            return
        stream.clock.report(message["time_ms"], _now_ms())
        self._hub.bus.publish(
            Level(
                device=device.record.id,
                rms_db=message["rms_db"],
                peak_db=message["peak_db"],
                at_ms=message["time_ms"] + stream.clock.offset_ms,
            )
        )

    def _event(self, device: Device, stream: Stream, message: dict[str, Any]) -> None:
        if not self._events.allow():
            self._hub.drops["events"] += 1
            return
        if not device.may_be_heard():
            self._hub.drops["muted_events"] += 1
            return
        offset_ms = stream.clock.offset_ms
        age_ms = _now_ms() - message["start_ms"] - offset_ms
        if not -MAX_JUMP_MS < age_ms < MAX_AGE_MS or message["end_ms"] - message["start_ms"] > MAX_JUMP_MS:
            raise PeerError(
                "bad_time", f"{self._session.who}: event from {message['start_ms']} to {message['end_ms']} ms"
            )
        self._hub.pipeline.note(
            NewSound(
                device=device.record.id,
                room=device.record.room,
                label=message["label"],
                score=message["score"],
                start_ms=message["start_ms"] + offset_ms,
                end_ms=max(message["start_ms"], message["end_ms"]) + offset_ms,
                level_db=message.get("level_db"),
            )
        )


def _compare(self_test: str | None) -> SelfTest | None:
    """What a device makes of the known signal, beside what the hub makes of it."""
    if self_test is None:
        return None
    return "ok" if self_test == mel64.self_test() else "differs"


def _more_private(wished: str | None, reported: str) -> str:
    """What welcome asks for: the owner's wish, else what the device already does."""
    return reported if wished is None else wished
