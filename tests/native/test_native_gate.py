"""The Rust gate, through minerva_native, against its reference in numpy and the gate by level."""

import numpy as np
import pytest
from minerva_tools.gate import network, reference
from minerva_tools.material import alarms, judged, music, noises
from minerva_tools.material.scenes import frames_of, to_pcm

native = pytest.importorskip("minerva_native", reason="minerva_native is not built")


def _sounds():
    rng = np.random.default_rng(11)
    yield "music", judged.nonspeech(10, "band", music.beds(music.ANY)["band"], 1, seconds=20).pcm
    yield "typing", judged.nonspeech(10, "typing", noises.typing, 2, seconds=20).pcm
    yield "smoke", judged.alarm(10, "smoke", noises.fan, 3).pcm
    yield "clipped", to_pcm(8 * noises.pink(5 * 16_000, rng))
    yield "crash", to_pcm(np.concatenate([alarms.crash(rng) * 10**-gap for gap in rng.uniform(0.2, 4, 20)]))
    yield "silence", np.zeros(16_000 * 5, np.int16)
    voiced = np.cumsum(rng.standard_normal((400, 800)), axis=1) * (rng.random((400, 1)) > 0.5)
    yield "bursts", to_pcm(0.001 * voiced.ravel())


@pytest.mark.parametrize(("name", "pcm"), list(_sounds()))
def test_the_rust_gate_agrees_with_its_reference_in_every_frame(name, pcm):
    levels, hops = frames_of(pcm)
    gate, by_level = native.Gate(), native.Gate()
    said = [
        gate.frame(int(level), hops[at] if at else hops[at, :0]) for at, level in enumerate(levels.tolist())
    ]
    assert said == reference.gate(network.load(), levels, hops).tolist()
    said = [by_level.frame(int(level), hops[0, :0]) for level in levels.tolist()]
    assert said == reference.by_level(levels)[0].tolist()


def test_random_features_and_levels_agree_too():
    rng = np.random.default_rng(12)
    levels = rng.integers(-9000, 100, 3000).astype(np.int32)
    hops = rng.integers(0, 256, (3000, 2, 64)).astype(np.uint8)
    gate = native.Gate()
    said, scores = [], []
    for at, level in enumerate(levels):
        said.append(gate.frame(int(level), hops[at] if at else hops[at, :0]))
        scores.append(gate.score)
    assert said == reference.gate(network.load(), levels, hops).tolist()
    assert scores == [0, *network.scores(network.load(), network.inputs(hops[1:])[0]).tolist()]
