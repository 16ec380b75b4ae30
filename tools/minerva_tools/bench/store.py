"""The store: how many commits a second it takes, and how long a search takes among 100 000 utterances."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from minerva_hub.events import NewUtterance, ResumePoint, Session, Word
from minerva_hub.store import Store

from minerva_tools.measure import Result, at_least, at_most, figure, percentile

UTTERANCES = 100_000  # some three months of a talkative household
WORDS = 8
BATCH = 2_000
VOCABULARY = 5_000
COMMITS = 500
MIN_COMMITS = 50.0  # a second: 500 devices with an utterance each 10 s
MAX_SEARCH_MS = 100.0  # seems immediate to a person who types


def run() -> Iterable[Result]:
    """Measure in a temporary folder on the disk that temporary files are on."""
    return asyncio.run(_run())


async def _run() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="minerva-bench-") as folder:
        store = await Store.open(Path(folder))
        try:
            return await _measure(store, folder)
        finally:
            await store.close()


async def _measure(store: Store, folder: str) -> list[Result]:
    rng = random.Random(1)
    words = [f"{'bcdfghklmnprst'[n % 14]}{'aeiou'[n % 5]}{n:x}" for n in range(VOCABULARY)]
    session = await store.begin_session("bench", "Bench", 0)
    began = time.perf_counter()
    for start in range(0, UTTERANCES, BATCH):
        await store.commit([_said(session, n, words, rng) for n in range(start, start + BATCH)], None)
    filled_s = time.perf_counter() - began
    size_mb = sum(entry.stat().st_size for entry in os.scandir(folder)) / 1e6

    lasted: list[float] = []
    began = time.perf_counter()
    for n in range(COMMITS):
        before = time.perf_counter()
        await store.commit([_said(session, UTTERANCES + n, words, rng)], _point(n))
        lasted.append((time.perf_counter() - before) * 1000)
    alone_s = time.perf_counter() - began
    began = time.perf_counter()
    await asyncio.gather(*(store.save_resume(_point(COMMITS + n)) for n in range(COMMITS)))
    together_s = time.perf_counter() - began

    under = f"{UTTERANCES} utterances of {WORDS} words stored, one session, synchronous=FULL"
    rare = [rng.choice(words) for _ in range(50)]
    return [
        at_least("commits", COMMITS / alone_s, "1/s", MIN_COMMITS, f"{under}, one after the other"),
        figure("commit_p95", percentile(lasted, 95), "ms", under),
        figure("writes_together", COMMITS / together_s, "1/s", f"{under}, {COMMITS} resume points at once"),
        figure("fill", UTTERANCES / filled_s, "1/s", f"{BATCH} utterances a commit"),
        figure("size", size_mb, "MB", under),
        await _search(store, "search_word", rare, under + ", one of 5000 words"),
        await _search(store, "search_two", [f"{a} {b[:3]}" for a, b in pairwise(rare)], under),
        await _search(store, "search_letter", ["b", "c"] * 5, under + ", a letter that begins many"),
    ]


async def _search(store: Store, name: str, queries: list[str], under: str) -> Result:
    lasted = []
    for q in queries:
        began = time.perf_counter()
        await store.utterances(q=q)
        lasted.append((time.perf_counter() - began) * 1000)
    return at_most(name, percentile(lasted, 95), "ms", MAX_SEARCH_MS, f"p95 of {len(queries)}, {under}")


def _said(session: Session, n: int, vocabulary: list[str], rng: random.Random) -> NewUtterance:
    start_ms = n * 10_000
    chosen = rng.choices(vocabulary, k=WORDS)
    return NewUtterance(
        session_id=session.id,
        device=session.device,
        room=session.room,
        speaker=f"Speaker {'ABC'[n % 3]}",
        start_ms=start_ms,
        end_ms=start_ms + 300 * WORDS,
        text=" ".join(chosen),
        words=tuple(
            Word(text=word, start_ms=start_ms + 300 * k, end_ms=start_ms + 300 * k + 250)
            for k, word in enumerate(chosen)
        ),
        engine="bench",
    )


def _point(seq: int) -> ResumePoint:
    return ResumePoint(device="bench", boot_id="b", stream=0, seq=seq, end_ms=0, clock_offset_ms=0)
