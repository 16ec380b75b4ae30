"""Sounds in the pipeline: packets of streams in, sounds for the timeline out; engines that fail or hang."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.acoustic.base import Batch, Scores
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.audio.mel64 import log_mel, quantise
from minerva_hub.config import SoundsConfig
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo, NewSound
from minerva_hub.pipeline import sounds
from minerva_hub.pipeline.sounds import MAX_WAITING_MS, SoundBox, Sounds

FRAME = 960  # 60 ms
T0 = 1_700_000_000_000


class LoudIsKnock:
    """Names a patch a knock if it is loud, a smoke alarm if it is very loud, and fails on command."""

    info = EngineInfo(stage="sounds", name="fake", state="ready", reason="test")

    def __init__(self) -> None:
        self.fails = False
        self.waits = threading.Event()
        self.waits.set()
        self.with_samples = 0

    def scores(self, batch: Batch) -> Scores:
        self.waits.wait(10)
        if self.fails:
            raise EngineError("the fake failed")
        self.with_samples += 0 if batch.waveforms is None else len(batch)
        out = np.zeros((len(batch), len(LABELS)), np.float32)
        level = batch.patches.mean((1, 2))
        out[:, LABELS.index("knock")] = (level > 80) & (level < 150)
        out[:, LABELS.index("smoke_alarm")] = level >= 150
        return out


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: SoundsConfig | None = None) -> None:
        monkeypatch.setattr(sounds, "STEP_S", 0.01)
        self.engine = LoudIsKnock()
        self.told: list[NewSound] = []
        self.shown: list[EngineInfo] = []
        self.warnings: dict[str, str | None] = {}
        self.drops: Counter[str] = Counter()
        self.sounds = Sounds(
            config or SoundsConfig(),
            Path(),
            note=self.told.append,
            show=self.shown.append,
            warn=lambda key, text: self.warnings.update({key: text}),
            drops=self.drops,
            choose=self.choose,
        )

    def choose(self, config: SoundsConfig, models: Path) -> LoudIsKnock:
        return self.engine

    async def until(self, done: object) -> None:
        async with asyncio.timeout(10):
            while not done():  # type: ignore[operator]
                await asyncio.sleep(0.01)


def noise(seconds: float, level: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.standard_normal(round(seconds * 16_000)) * level).clip(-32000, 32000).astype(np.int16)


def bring(box: SoundBox, pcm: np.ndarray, start_ms: int = T0, *, begins: bool = True) -> int:
    for at in range(0, len(pcm) - FRAME + 1, FRAME):
        box.put(pcm[at : at + FRAME], start_ms + at // 16, begins and at == 0)
    return start_ms + len(pcm) // FRAME * 60


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    one = Rig(monkeypatch)
    task = asyncio.create_task(one.sounds.run())
    yield one
    one.engine.waits.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_sound_is_told_when_it_has_ended(rig: Rig) -> None:
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    bring(box, np.concatenate([noise(2, 1), noise(1, 300), noise(4, 1)]))
    await rig.until(lambda: rig.told)
    (sound,) = rig.told
    assert (sound.device, sound.room, sound.label, sound.score) == ("kitchen", "Kitchen", "knock", 1.0)
    assert abs(sound.start_ms - T0 - 2000) < 1000
    assert abs(sound.end_ms - T0 - 3000) < 1000
    assert rig.engine.with_samples > 0
    assert [info.state for info in rig.shown] == ["loading", "ready"]


async def test_an_alarm_is_told_while_it_goes_on(rig: Rig) -> None:
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    end = bring(box, noise(4, 20_000))
    await rig.until(lambda: rig.told)
    bring(box, noise(4, 20_000), end, begins=False)
    await rig.until(lambda: not len(rig.sounds))
    await asyncio.sleep(0.1)
    assert [sound.label for sound in rig.told] == ["smoke_alarm"]


async def test_features_alone_are_heard_too(rig: Rig) -> None:
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    rows = quantise(log_mel(np.concatenate([noise(2, 1), noise(1, 300), noise(4, 1)])))
    for at in range(0, len(rows), 10):
        box.put(rows[at : at + 10], T0 + 10 * at, at == 0)
    await rig.until(lambda: rig.told)
    assert rig.told[0].label == "knock"
    assert rig.engine.with_samples == 0


async def test_a_stream_that_closes_ends_its_sounds_and_is_forgotten(rig: Rig) -> None:
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    bring(box, noise(2, 300))
    await rig.until(lambda: not len(box))
    await asyncio.sleep(0.1)
    assert rig.told == []
    box.closed = True
    await rig.until(lambda: rig.told)
    await rig.until(lambda: not rig.sounds._boxes)
    assert rig.told[0].label == "knock"


async def test_an_engine_that_fails_is_shown_and_tried_again(rig: Rig) -> None:
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    rig.engine.fails = True
    end = bring(box, noise(2, 300))
    await rig.until(lambda: rig.drops["sound_errors"])
    assert rig.warnings["sounds"] == "the fake failed"
    rig.engine.fails = False
    bring(box, np.concatenate([noise(1.5, 300), noise(4, 1)]), end, begins=False)
    await rig.until(lambda: rig.told)
    assert rig.warnings["sounds"] is None


async def test_an_engine_that_hangs_costs_the_oldest_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "SLOW_S", 0.05)
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    rig.engine.waits.clear()
    end = bring(box, noise(2, 1))
    await rig.until(lambda: "has not answered" in (rig.warnings.get("sounds") or ""))
    bring(box, noise(MAX_WAITING_MS / 1000 + 6, 1), end, begins=False)
    assert 90 <= box.dropped <= 110
    assert len(box) <= MAX_WAITING_MS // 60
    rig.engine.waits.set()
    await rig.until(lambda: rig.drops["sound_packets"] == box.dropped)
    await rig.until(lambda: rig.warnings["sounds"] is None)


async def test_an_engine_that_cannot_be_had_is_an_error_and_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch)

    def refuse(config: SoundsConfig, models: Path) -> LoudIsKnock:
        raise EngineUnavailableError("no such file")

    rig.sounds._choose = refuse
    box = rig.sounds.open("kitchen", "Kitchen")
    assert box is not None
    bring(box, noise(1, 1))
    await asyncio.wait_for(rig.sounds.run(), 5)
    assert [(info.state, info.reason) for info in rig.shown][-1] == ("error", "no such file")
    assert rig.sounds.open("study", "Study") is None
    assert len(rig.sounds) == 0


async def test_off_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, SoundsConfig(engine="off"))
    assert rig.sounds.open("kitchen", "Kitchen") is None
    await asyncio.wait_for(rig.sounds.run(), 5)
    assert [info.state for info in rig.shown] == ["off"]
