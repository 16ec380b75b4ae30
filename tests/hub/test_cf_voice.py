"""The cf-voice port against a real hub: what Linnet's page and server do, hostile peers, limits."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
import pytest
from cf_voice_client import Client, a_voice_hub
from linkpeer import DigestEngine
from minerva_hub.app import Hub
from minerva_hub.cf_voice import handlers, streams
from minerva_hub.cf_voice import session as session_module
from minerva_hub.cf_voice import sessions as sessions_module
from minerva_hub.cf_voice.guard import AllowList
from minerva_hub.config import allowed_networks

RATE = 16_000


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound may come faster than real time, but for the tests of just that."""
    monkeypatch.setattr(streams, "LEAD_MS", 60_000)
    monkeypatch.setattr(handlers, "LEAD_MS", 60_000)


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncIterator[tuple[Hub, Client]]:
    async with a_voice_hub(tmp_path) as running:
        yield running


async def test_what_linnets_page_does(
    voice: tuple[Hub, Client], speech: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, page = voice
    bus = hub.bus.subscribe(1000)
    id_ = await page.start(elcor=True)
    assert (await page.ask("GET", f"/session/{id_}"))[1] == {
        "session_id": id_, "state": "running", "elcor": True,
    }  # fmt: skip
    async with page.following(id_) as stream:
        assert page.comments == [": heartbeat"]
        await page.until(
            lambda: ("ready", "") in [(e["status"], e["detail"]) for e in page.of("service-event")]
        )
        await page.speak(id_, speech)
        assert page.acks == [{"ok": True, "bytes": 3200}] * (len(speech) // 1600)
        await page.until(lambda: len(page.of("tone-event")) >= 2)
        said, tones = page.of("transcript-event"), page.of("tone-event")
        assert said[0]["session_id"] == id_ and len(said[0]["text"]) == 12  # the engine's own words
        assert said[0]["speaker_id"] == tones[0]["speaker_id"] == "Speaker A"
        assert 0 <= said[0]["timestamp"] < len(speech) / RATE and tones[0]["subtext"] == "[NEUTRAL]"
        assert tones[0]["arousal_delta"] is None and tones[0]["affect"] == "neutral"
        assert page.of("speaker-event")[0]["label"] in ("human_single", "human_multi")
        monkeypatch.setattr(session_module, "QUIET_S", 0.1)
        await page.until(lambda: page.of("speaker-event")[-1]["label"] == "no_speaker")
        status, history = await page.ask("GET", f"/session/{id_}/history?limit=1")
        assert status == 200 and history["count"] == 1 and history["events"] == tones[-1:]
        assert (await page.ask("GET", f"/session/{id_}/history?min_confidence=0.5"))[1]["count"] == 0
        _, export = await page.ask("GET", f"/session/{id_}/export")
        assert export["events"] == tones and len(export["timeline"]) >= len(said) + 2
        await hub.pipeline._save_resume_points()
        assert await page.ask("DELETE", f"/session/{id_}/end") == (
            200,
            {"session_id": id_, "state": "stopped", "elcor": True},
        )
        async with asyncio.timeout(2):
            await stream  # the stream ends with its session
    assert (await page.ask("GET", f"/session/{id_}"))[0] == 404
    assert [event for event in bus._events if b"guest/" in msgspec.json.encode(event)] == []
    for table in ("sessions", "utterances", "gaps", "resume"):
        with sqlite3.connect(tmp_path / "store" / "minerva.db") as database:
            (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert count == 0, table
    words = said[0]["text"].encode()
    assert all(words not in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())


async def test_what_linnets_server_does(voice: tuple[Hub, Client], speech: np.ndarray) -> None:
    _, server = voice
    heard = []
    sound = np.concatenate([speech, np.zeros(RATE, np.int16)])
    for second in range(len(sound) // RATE):
        began_s = time.monotonic()
        status, body = await server.classify(
            sound[second * RATE : (second + 1) * RATE],
            timestamp=100.0 + second, elcor=False, session_id="linnet-1", language=None, num_speakers=2,
        )  # fmt: skip
        assert status == 200 and time.monotonic() - began_s < 2
        heard += body["events"]
    kinds = {event["event_type"] for event in heard}
    assert {"transcript", "tone", "speaker"} <= kinds
    text = next(event for event in heard if event["event_type"] == "transcript")
    assert len(text["label"]) == 12 and text["speaker_id"] == "Speaker A"
    assert 100.0 <= text["timestamp"] <= 109.0  # the caller's clock
    assert (await server.ask("GET", "/session/linnet-1"))[0] == 200
    _, again = await server.classify(np.zeros(RATE, np.int16), session_id="linnet-1", timestamp=109.0)
    assert [event for event in again["events"] if event in heard] == []  # nothing twice


async def test_a_chunk_without_a_session_has_all_of_itself(
    voice: tuple[Hub, Client], speech: np.ndarray
) -> None:
    hub, client = voice
    status, body = await client.classify(speech, timestamp=7.0)
    assert status == 200
    assert {"transcript", "tone", "speaker"} <= {event["event_type"] for event in body["events"]}
    assert all(7.0 <= event["timestamp"] <= 15.5 for event in body["events"])
    assert len(hub.cf_voice.sessions) == 0  # type: ignore[union-attr]
    assert (await client.classify(np.zeros(RATE, np.int16)))[1] == {"events": []}


async def test_sounds_come_as_events_and_are_not_stored(voice: tuple[Hub, Client], tmp_path: Path) -> None:
    hub, client = voice
    at_s = np.arange(8 * RATE) / RATE
    line = (np.sin(2 * np.pi * 480 * at_s) + np.sin(2 * np.pi * 620 * at_s)) * (at_s % 1.0 < 0.5)
    tone = (3000 * line).astype(np.int16)  # an engaged line
    await client.until(
        lambda: any(e.stage == "sounds" and e.state != "loading" for e in hub.pipeline.engines())
    )
    status, body = await client.classify(tone, timestamp=5.0)
    (event,) = [event for event in body["events"] if event["event_type"] == "queue"]
    assert status == 200 and event["label"] == "busy" and event["confidence"] > 0.5
    assert 5.0 <= event["timestamp"] <= 9.0
    with sqlite3.connect(tmp_path / "store" / "minerva.db") as database:
        assert database.execute("SELECT count(*) FROM sounds").fetchone() == (0,)


async def test_below_the_energy_floor_nothing_is_said_of_the_tone(
    voice: tuple[Hub, Client], speech: np.ndarray
) -> None:
    _, client = voice
    loud = np.sqrt(np.mean((speech / 32768.0) ** 2))
    quiet = (speech * (0.0015 / loud)).astype(np.int16)
    status, body = await client.classify(quiet)
    kinds = [event["event_type"] for event in body["events"]]
    assert status == 200 and "transcript" in kinds and "tone" not in kinds


CHUNKS: tuple[tuple[object, int, str], ...] = (
    ({"audio_chunk": "!!!!"}, 422, "not base64"),
    ({"audio_chunk": "AAA="}, 200, ""),
    ({"audio_chunk": "AAAA"}, 422, "3 bytes"),
    ({"audio_chunk": ""}, 422, "empty"),
    ({}, 422, "audio_chunk"),
    (b"{", 422, "/classify"),
    (b"\xff\xfe", 422, "/classify"),
    (b"[1]", 422, "/classify"),
    ({"audio_chunk": "AAA=", "session_id": "a/b"}, 422, "session_id"),
    ({"audio_chunk": "AAA=", "session_id": "x" * 65}, 422, "session_id"),
    ({"audio_chunk": "AAA=", "num_speakers": 9}, 422, "num_speakers"),
    ({"audio_chunk": "AAA=", "timestamp": "now"}, 422, "timestamp"),
    ({"audio_chunk": "AAA=", "language": "x" * 36}, 422, "language"),
    ({"audio_chunk": base64.b64encode(bytes(320_002)).decode()}, 413, "10 s are allowed"),
    ({"audio_chunk": base64.b64encode(bytes(400_000)).decode()}, 413, "are allowed"),
)


async def test_chunks_that_are_none(voice: tuple[Hub, Client]) -> None:
    for body, status, words in CHUNKS:
        got, told = await voice[1].ask("POST", "/classify", body)
        assert got == status and words in told.get("detail", ""), (body, got, told)


async def test_an_engine_that_is_too_slow_is_said_in_time(
    tmp_path: Path, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "ANSWER_S", 0.5)
    engine = DigestEngine(busy_s=1.5)
    async with a_voice_hub(tmp_path, engine) as (hub, client):
        answers = await asyncio.gather(*(client.classify(speech) for _ in range(3)))
        assert sorted(status for status, _ in answers) == [503, 504, 504]
        assert hub.health().drops["cf_voice_late"] == 2 and hub.health().drops["cf_voice_busy"] == 1
        engine.busy_s = 0.0
        monkeypatch.setattr(handlers, "ANSWER_S", 4.0)
        assert (await client.classify(speech))[0] == 200


class Broken(DigestEngine):
    """An engine that cannot be opened."""

    def open(self) -> DigestEngine:
        from minerva_hub.errors import EngineUnavailableError

        raise EngineUnavailableError("no model here")


async def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    async with a_voice_hub(tmp_path, Broken()) as (_, client):
        assert (await client.classify(np.zeros(RATE, np.int16)))[0] == 503
        status, body = await client.ask("GET", "/health")
        assert status == 503 and body["status"] == "error" and body["models"]["stt"] == "error"
        assert any("no model here" in text for text in body["warnings"])
        id_ = await client.start()
        async with client.following(id_):
            await client.until(lambda: [e["status"] for e in client.of("service-event")] == ["error"])


async def test_health_of_a_hub_that_is_ready(voice: tuple[Hub, Client]) -> None:
    status, body = await voice[1].ask("GET", "/health")
    assert status == 200 and body["status"] == "ok" and isinstance(body["warnings"], list)
    assert body["models"] == {"stt": "ready", "diarizer": "ready", "dimensional": "error", "prosody": "ready"}


async def test_sessions_that_are_not_there(voice: tuple[Hub, Client]) -> None:
    for method, path in (
        ("GET", "/session/gone"), ("GET", "/session/gone/stream"), ("GET", "/session/gone/history"),
        ("GET", "/session/gone/export"), ("DELETE", "/session/gone/end"), ("GET", "/session/gone/audio"),
        ("POST", "/corrections"), ("GET", "/elsewhere"),
    ):  # fmt: skip
        status, told = await voice[1].ask(method, path, {"item_id": "gone"} if method == "POST" else None)
        assert status == 404 and told["detail"], (method, path)


async def test_corrections(
    voice: tuple[Hub, Client], speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "CORRECTIONS", 3)
    _, client = voice
    id_ = await client.start()
    await client.classify(speech, session_id=id_)
    await client.classify(np.zeros(RATE, np.int16), session_id=id_)
    given = {
        "item_id": id_, "product": "linnet", "correction_type": "annotation", "input_text": "",
        "original_output": "[neutral]", "corrected_output": "[Frustrated] as I said", "rating": "down",
        "context": {"session_id": id_, "label": "neutral"}, "opted_in": True,
    }  # fmt: skip
    status, told = await client.ask("POST", "/corrections", given)
    assert status == 201 and told == {"session_id": id_, "number": 1, "applied": True, "shared": False}
    _, history = await client.ask("GET", f"/session/{id_}/history")
    assert (history["events"][-1]["affect"], history["events"][-1]["label"]) == ("frustrated",) * 2
    vague = {**given, "corrected_output": "warm or urgent"}
    assert (await client.ask("POST", "/corrections/", vague))[1]["applied"] is False
    assert (await client.ask("POST", "/corrections", {**given, "rating": "up"}))[1]["applied"] is False
    assert (await client.ask("POST", "/corrections", given))[0] == 429
    for bad in ({"corrected_output": "x" * 2001}, {"rating": "sideways"}, {"context": [1]}):
        assert (await client.ask("POST", "/corrections", {**given, **bad}))[0] == 422
    assert (await client.ask("POST", "/corrections", {**given, "context": {"x": "y" * 17_000}}))[0] == 413
    _, export = await client.ask("GET", f"/session/{id_}/export")
    assert len(export["corrections"]) == 3


async def test_microphones_that_send_no_sound(voice: tuple[Hub, Client]) -> None:
    _, client = voice
    id_ = await client.start()
    for message, close in (("text", 1003), (b"\0" * 3, 1007), (b"", 1007), (b"\0" * 32_002, 1009)):
        async with client.session.ws_connect(f"{client.address}/session/{id_}/audio") as socket:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
            kind = (await socket.receive(timeout=5)).type
            assert kind in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
            assert socket.close_code == close
    assert (await client.ask("GET", f"/session/{id_}"))[0] == 200  # the session goes on


async def test_one_microphone_a_session_and_no_flood(voice: tuple[Hub, Client]) -> None:
    _, client = voice
    id_ = await client.start()
    url = f"{client.address}/session/{id_}/audio"
    async with client.session.ws_connect(url) as socket:
        assert (await client.ask("GET", f"/session/{id_}/audio"))[0] == 409
        assert (await client.classify(np.zeros(RATE, np.int16), session_id=id_))[0] == 409
        for _ in range(streams.BURST + 60):
            await socket.send_bytes(b"\0\0")
        closed = [m async for m in socket]
        assert socket.close_code == 1008 and len(closed) < streams.BURST + 60
    async with client.session.ws_connect(url) as socket:  # the place is free again
        await client.ask("DELETE", f"/session/{id_}/end")
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE and socket.close_code == 1001


async def test_who_is_faster_than_real_time_is_slowed(
    voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = voice
    monkeypatch.setattr(streams, "LEAD_MS", 200)
    monkeypatch.setattr(handlers, "LEAD_MS", 200)
    id_ = await client.start()
    began_s = time.monotonic()
    await client.speak(id_, np.zeros(RATE, np.int16))
    assert time.monotonic() - began_s > 0.5
    second = np.zeros(10 * RATE, np.int16)
    assert (await client.classify(second, session_id="fast"))[0] == 200  # it ended just now
    status, told = await client.classify(second, session_id="fast")
    assert status == 429 and "ahead of real time" in told["detail"]


async def test_so_many_sessions_and_no_more(voice: tuple[Hub, Client]) -> None:
    hub, client = voice
    ids = [await client.start() for _ in range(sessions_module.MAX_SESSIONS)]
    for path, body in (
        ("/session/start", {}),
        ("/classify", {"audio_chunk": "AAA=", "session_id": "one-more"}),
    ):
        status, told = await client.ask("POST", path, body)
        assert status == 503 and "8 sessions" in told["detail"]
    assert hub.cf_voice.info().sessions == 8  # type: ignore[union-attr]
    await client.ask("DELETE", f"/session/{ids[0]}/end")
    await client.start()


async def test_what_nobody_uses_ends(voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    hub, client = voice
    sessions = hub.cf_voice.sessions  # type: ignore[union-attr]
    idle, read = await client.start(), await client.start()
    async with client.following(read):
        monkeypatch.setattr(sessions_module, "IDLE_S", -1.0)
        await sessions.look()
        assert sessions.get(idle) is None and sessions.get(read) is not None
        monkeypatch.setattr(sessions_module, "SILENT_S", -1.0)
        await sessions.look()
        assert len(sessions) == 0
    assert hub.pipeline.guests._open == {}


async def test_a_hub_whose_clock_was_set_back_ends_what_cannot_go_on(
    voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, client = voice
    sessions = hub.cf_voice.sessions  # type: ignore[union-attr]
    await client.classify(bytes(2 * 1000), session_id="back")  # the rest of a frame waits
    monkeypatch.setattr("minerva_hub.pipeline.live._now_ms", lambda: 1_000_000_000_000)
    monkeypatch.setattr(session_module, "QUIET_S", -1.0)
    await sessions.look()
    assert sessions.get("back") is None


async def test_a_reader_that_is_slow_loses_the_oldest_and_that_is_counted(
    voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    from minerva_hub.pipeline.guests import Lost

    hub, client = voice
    id_ = await client.start()
    session = hub.cf_voice.sessions.named(id_)  # type: ignore[union-attr]
    feeds = [session.subscribe() for _ in range(session_module.READERS)]
    status, told = await client.ask("GET", f"/session/{id_}/stream")
    assert status == 503 and "8 streams" in told["detail"]
    for _ in range(300):
        session._news(Lost(0, 1000))
    assert len(feeds[0].drain()) == 256
    drops = hub.health().drops
    assert drops["cf_voice_events"] >= 44 * 8 and drops["cf_voice_sound_ms"] == 300_000


async def test_a_heartbeat_comes_while_nothing_happens(
    voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    _, client = voice
    async with client.following(await client.start()):
        await client.until(lambda: len(client.comments) >= 3)
        assert set(client.comments) == {": heartbeat"}


async def test_a_language_that_the_hub_does_not_write_is_said(voice: tuple[Hub, Client]) -> None:
    _, client = voice
    id_ = await client.start(transcribe_lang="es-MX", num_speakers=0, window_ms=1000, target_lang="")
    async with client.following(id_):
        await client.until(lambda: any("es was asked for" in e["detail"] for e in client.of("service-event")))
        await client.until(lambda: client.of("service-event")[-1]["status"] == "ready")


async def test_pages_of_other_sites_may_not_come_in(voice: tuple[Hub, Client]) -> None:
    _, client = voice
    id_ = await client.start()
    for headers, status in (
        ({}, 200),
        ({"Origin": "http://localhost:8521"}, 200),  # Linnet's page, through its own proxy
        ({"Host": "localhost:8487"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
    ):
        assert (await client.ask("GET", "/health", headers=headers))[0] == status, headers
        assert (await client.ask("GET", f"/session/{id_}/audio", headers=headers))[0] == (
            status if status != 200 else 400  # no WebSocket, but let in
        )


async def test_it_is_off_unless_it_is_switched_on(hub: tuple[Hub, str]) -> None:
    assert hub[0].cf_voice is None and hub[0].health().cf_voice is None


async def test_the_owner_sees_that_it_is_on_and_who_speaks_through_it(tmp_path: Path) -> None:
    async with a_voice_hub(tmp_path, allow="192.168.7.0/24") as (hub, client):
        shown = hub.health().cf_voice
        assert shown is not None and shown.address == client.address
        assert shown.allow == ("192.168.7.0/24",) and shown.listening == ()
        id_ = await client.start()
        async with client.session.ws_connect(f"{client.address}/session/{id_}/audio"):
            await client.until(lambda: hub.health().cf_voice.listening == ("127.0.0.1",))  # type: ignore[union-attr]
            await client.until(lambda: hub.cf_voice._shown.listening, 3)  # type: ignore[union-attr]
        await client.until(lambda: hub.health().cf_voice.listening == ())  # type: ignore[union-attr]


def test_who_may_come_in() -> None:
    allowed = AllowList(allowed_networks("192.168.7.0/24 fd00::5"))
    for address, admitted in (
        ("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.168.7.9", True),
        ("fd00::5", True), ("::ffff:192.168.7.9", True), ("192.168.1.5", False), ("fd00::6", False),
        ("fe80::1%eth0", False),
        ("", False), ("localhost", False),
    ):  # fmt: skip
        assert allowed.admits(address) is admitted, address


async def test_who_is_not_listed_cannot_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [True]
    monkeypatch.setattr(AllowList, "admits", lambda self, address: listed[0])
    async with a_voice_hub(tmp_path) as (hub, client):
        assert (await client.ask("GET", "/health"))[0] == 200
        listed[0] = False  # the kernel has no other address to come from than this machine's
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientError):
                await stranger.get(f"{client.address}/health")
        assert hub.health().drops["cf_voice_refused"] >= 1


async def test_a_body_that_never_comes(voice: tuple[Hub, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minerva_hub.cf_voice.requests.BODY_S", 0.1)
    host, port = voice[1].address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    assert b" 408 " in head.split(b"\r\n")[0]
    writer.close()


def test_an_answer_is_json_with_a_detail() -> None:
    from minerva_hub.cf_voice.problems import answer

    told = answer(503, "busy", "too much")
    assert json.loads(bytes(told.body)) == {"detail": "too much", "code": "busy"}  # type: ignore[arg-type]
    assert told.headers["Retry-After"] == "2"
