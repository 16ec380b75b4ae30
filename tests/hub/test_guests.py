"""Guests: how a program's sound is placed on the clock, and that what is said goes nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from minerva_hub.config import HubConfig
from minerva_hub.diarize import Assignment
from minerva_hub.events import Gap, NewSound
from minerva_hub.pipeline import guests as module
from minerva_hub.pipeline.guests import Guests, Lost, Relabelled, Said
from minerva_hub.pipeline.scribe import Draft

NOW_MS = 1_800_000_000_000
RATE = 16_000


@dataclass
class Packet:
    flags: int
    frames: int
    seq: int
    time: int
    data: bytes


class Ears:
    """A host that keeps what it is given."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.flushed = 0
        self.forgotten: list[str] = []
        self.full = False

    def open_stream(self, record: Any, boot_id: str, time_ms: int, point: None) -> Any:
        return SimpleNamespace(
            device=record.id, room=record.room, guest=False, settled_seq=None,
            clock=SimpleNamespace(offset_ms=NOW_MS - time_ms), ear=SimpleNamespace(pending=0, speaking=False),
        )  # fmt: skip

    def accept(
        self, stream: Any, kind: int, flags: int, frames: int, seq: int, time_u32: int, payload: memoryview
    ) -> bool:
        if not self.full:
            self.packets.append(Packet(flags, frames, seq, time_u32, bytes(payload)))
        return not self.full

    def flush(self, stream: Any) -> None:
        self.flushed += 1

    def forget(self, device: str) -> None:
        self.forgotten.append(device)

    def pending(self, device: str) -> bool:
        return False


class Book:
    def __init__(self) -> None:
        self.change = False

    def add(self, voices: Any) -> Assignment:
        changed = {1: "Speaker B"} if self.change else {}
        return Assignment({key: f"Speaker {voice}" for key, voice, _ in voices}, changed)


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = NOW_MS
        clock = SimpleNamespace(time_ns=lambda: self.now_ms * 1_000_000)
        monkeypatch.setattr(module, "time", clock)
        self.ears = Ears()
        self.book = Book()
        self.told: list[Any] = []
        self.guests = Guests(self.ears, HubConfig(), lambda: SimpleNamespace(open_book=lambda: self.book))  # type: ignore[arg-type, return-value]
        self.guest = self.guests.open("linnet", self.told.append)

    def feed(self, ms: float, value: int = 1) -> int:
        return self.guest.feed(np.full(int(ms * 16), value, "<i2").tobytes()) - NOW_MS


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_what_comes_has_just_been_said_and_goes_on_without_a_seam(world: World) -> None:
    assert world.feed(100) == -100
    world.now_ms += 130  # late by 30 ms, as networks are
    assert world.feed(100) == 0
    assert [(p.flags, p.frames, p.seq) for p in world.ears.packets] == [(1, 5, 0), (0, 5, 1)]
    assert world.ears.packets[1].time - world.ears.packets[0].time == 100


def test_any_number_of_samples_goes_on_in_frames(world: World) -> None:
    sent = b"".join(bytes([n % 251]) * 2 for n in range(16 * 1234))
    for at in range(0, len(sent), 778):
        world.guest.feed(sent[at : at + 778])
    assert all(1 <= p.frames <= 10 and len(p.data) == 640 * p.frames for p in world.ears.packets)
    times = [p.time for p in world.ears.packets]
    assert [b - a for a, b in pairwise(times)] == [20 * p.frames for p in world.ears.packets][:-1]
    world.guest.pause()  # what is left of a frame is filled up, and ends the run
    assert world.ears.packets[-1].flags == 2
    assert b"".join(p.data for p in world.ears.packets).rstrip(b"\0") == sent.rstrip(b"\0")


def test_after_a_while_without_sound_time_has_gone_on(world: World) -> None:
    world.feed(100)
    world.now_ms += 5000
    assert world.feed(100) == 4900
    assert world.ears.flushed == 1 and [p.flags for p in world.ears.packets] == [1, 1]


def test_what_a_network_held_up_comes_at_once_and_is_one_stretch(world: World) -> None:
    world.feed(100)
    world.now_ms += 1500
    assert [world.feed(100) for _ in range(15)] == [100 * n for n in range(15)]
    assert world.ears.flushed == 0 and world.guest.ahead_s(100, 0) == pytest.approx(0.1)


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever(world: World) -> None:
    world.feed(100)
    world.now_ms -= 3_600_000
    assert world.guest.ahead_s(100, 1500) == module.MAX_WAIT_S


def test_a_pause_ends_what_is_said_once(world: World) -> None:
    world.guest.pause()
    assert world.ears.flushed == 0 and world.guest.paused
    world.feed(100)
    assert not world.guest.paused
    world.guest.pause()
    world.guest.pause()
    assert world.ears.flushed == 1 and world.guest.paused and world.guest.waiting
    world.guest.stream.settled_seq = 0
    assert not world.guest.waiting


def test_what_is_not_taken_is_counted(world: World) -> None:
    world.ears.full = True
    world.feed(250)
    assert world.guest.dropped_ms == 240  # the rest of a frame waits


def draft(voice: str, text: str = "hello") -> Draft:
    return Draft(text, (), NOW_MS, NOW_MS + 900, "en", voice)


async def test_words_of_a_guest_go_to_the_guest_and_those_of_a_device_do_not(world: World) -> None:
    stored: list[str] = []

    async def store(device: str, *said: Any, **more: Any) -> None:
        stored.append(device)

    add = world.guests.or_else(store)
    await add("kitchen", "Kitchen", "test", [draft("A")], None, late_s=0)
    await add("guest/linnet", "linnet", "test", [draft("A"), draft("B")], None, late_s=0)
    world.book.change = True
    await add("guest/linnet", "linnet", "test", [draft("A")], None, late_s=0)
    assert stored == ["kitchen"]
    first, second, change = world.told
    assert isinstance(first, Said) and isinstance(second, Said) and change == Relabelled({1: "Speaker B"})
    assert [(one.id, one.speaker) for one in first.utterances + second.utterances] == [
        (1, "Speaker A"), (2, "Speaker B"), (3, "Speaker A"),
    ]  # fmt: skip
    world.guests.end(world.guest)
    await add("guest/linnet", "linnet", "test", [draft("A")], None, late_s=0)
    assert stored == ["kitchen"] and len(world.told) == 3 and world.ears.forgotten == ["guest/linnet"]


async def test_what_was_being_labelled_when_the_guest_left_is_not_told(world: World) -> None:
    world.book.add = lambda voices: (world.guests.end(world.guest), Book().add(voices))[1]  # type: ignore[method-assign]
    await world.guest.add("guest/linnet", "linnet", "test", [draft("A")], None)
    assert world.told == []


def test_sounds_and_losses_of_a_guest_are_told_and_not_kept(world: World) -> None:
    sound = NewSound(device="guest/linnet", room="x", label="busy", score=1.0, start_ms=1, end_ms=2)
    gap = Gap(device="guest/linnet", start_ms=5, end_ms=9, packets=1, reason="hub_overload")
    assert world.guests.note(sound) and world.guests.note(gap)
    assert world.told == [sound, Lost(5, 9)]
    world.guests.end(world.guest)
    assert world.guests.note(sound) and len(world.told) == 2  # nobody's, and still nothing to store
    assert not world.guests.note(Gap(device="kitchen", start_ms=5, end_ms=9, packets=1, reason="lost"))


def test_a_name_is_one_guests(world: World) -> None:
    with pytest.raises(ValueError, match="linnet"):
        world.guests.open("linnet", world.told.append)
