"""The standing rule's question, answered by a profile: whether mel and MFCC are a bottleneck of the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from minerva_tools.measure import conditions
from minerva_tools.profiling.running import Profile
from minerva_tools.profiling.stages import IDLE, STAGES

THRESHOLD: Final = 0.20  # of all processor time: below it, features at no cost at all would not be noticed
REALTIME: Final = (
    0.10  # of a core for one stream: above it features alone would bound how many rooms a hub serves
)
WHISPER: Final = "faster-whisper"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A stage, milliseconds for each second of audio."""

    stage: str
    cpu_ms: float
    wait_ms: float
    share: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`share` of the features in the hub's processor time, and whether that is a bottleneck."""

    bottleneck: bool
    share: float
    features_ms: float
    fastest: str
    saved_share: float
    text: str


def rows(profile: Profile) -> list[Row]:
    """The stages' costs for each second of audio; recognisers' processes and native threads count as stt."""
    sampled = profile.sampled
    cpu = {name: sampled.stages[name].cpu_s for name in STAGES}
    cpu["stt"] += sampled.children_s + sampled.native_s
    cpu["event loop"] += sampled.stages[IDLE].cpu_s
    total = sum(cpu.values()) or 1.0
    return [
        Row(
            stage=name,
            cpu_ms=cpu[name] / profile.audio_s * 1000,
            wait_ms=sampled.stages[name].wait_s / profile.audio_s * 1000,
            share=cpu[name] / total,
        )
        for name in STAGES
    ]


def judge(profile: Profile) -> Verdict:
    """By share and threshold, and by what the fastest backend measured beside it would save."""
    features = next(row for row in rows(profile) if row.stage == "features")
    usual = profile.backends_ms.get("scipy")
    fastest = min(profile.backends_ms, key=lambda name: profile.backends_ms[name], default="none")
    gain = 0.0 if usual is None else max(0.0, 1 - profile.backends_ms[fastest] / usual)
    bottleneck = features.share > THRESHOLD or features.cpu_ms > REALTIME * 1000
    text = (
        f"Features (log-mel, cepstra, pitch) take {features.cpu_ms:.2f} ms of processor time for each second "
        f"of audio, {features.share:.1%} of the hub's; the threshold is {THRESHOLD:.0%}, or "
        f"{REALTIME * 1000:.0f} ms. The fastest log-mel backend here, {fastest}, would save "
        f"{gain * features.share:.1%} of the hub's time at most. "
        + (
            "They are a bottleneck: an extension in Rust is worth its cost."
            if bottleneck
            else "They are no bottleneck: the hub stays with numpy and scipy."
        )
    )
    return Verdict(
        bottleneck=bottleneck,
        share=features.share,
        features_ms=features.cpu_ms,
        fastest=fastest,
        saved_share=gain * features.share,
        text=text,
    )


def record(profile: Profile, number: str, date: str) -> str:
    """The decision record in Markdown; every figure in it is the profile's."""
    verdict = judge(profile)
    sampled = profile.sampled
    engines = ", ".join(f"{engine.stage}: {engine.name}" for engine in sampled.engines)
    machine = ", ".join(f"{key} {value}" for key, value in conditions().items())
    table = "\n".join(
        f"| {row.stage} | {row.cpu_ms:.2f} | {row.wait_ms:.2f} | {row.share:.1%} |" for row in rows(profile)
    )
    backends = "\n".join(f"| {name} | {ms:.3f} |" for name, ms in profile.backends_ms.items())
    missing = "".join(f"\nNot compared: {name}, {why}." for name, why in profile.skipped.items())
    answer = "is a bottleneck" if verdict.bottleneck else "is no bottleneck"
    return f"""# {number}: mel and MFCC in the hub, profiled: {answer}

Written by `minerva profile --record`, on {date}; run it again and compare before changing the decision.

## Context

No Rust for speed without profiling evidence ([decision 1](0001-python-and-two-exceptions-for-rust.md)). The
exception that is left open is a mel/MFCC extension for the hub, if a profile shows that it is a bottleneck.

## Decision

{verdict.text}

## Evidence

{profile.source}, {profile.devices} device(s), {profile.audio_s:.0f} s of audio over all, in real time,
{sampled.utterances} utterances, one reader of the events. {engines}.
The hub's process took {sampled.cpu_s:.1f} s and its recognisers' {sampled.children_s:.1f} s of processor time
in {sampled.wall_s:.0f} s; {sampled.samples} samples of its threads. {machine}.

Milliseconds for each second of audio; waiting is the threads' inside a stage, not what a segment waited in a
queue:

| stage | CPU | waiting | share of CPU |
| --- | --- | --- | --- |
{table}

Log-mel of one second of the same audio, one thread, least of many:

| backend | ms |
| --- | --- |
{backends}
{missing}

## Consequences

The optional module `minerva_native` stays a reference for tests and benches. The question is asked again when
a stage that computes features is added, or when the hub is to serve more streams than this.
"""
