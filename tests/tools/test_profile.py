"""`minerva profile`: where samples go, what is told of them, and the real hub profiled once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from minerva_hub.events import EngineInfo
from minerva_tools.profiling import Profile, folded_text, judge, record, rows, svg
from minerva_tools.profiling.records import Sampled
from minerva_tools.profiling.sampler import Sampler, Thread
from minerva_tools.profiling.stages import IDLE, STAGES, Times, by_stage, stage_of

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's clocks of threads")


def stack(*files: str) -> tuple[tuple[str, str], ...]:
    return tuple((file, "f") for file in files)


@pytest.mark.parametrize(
    ("files", "stage"),
    [
        (("/x/asyncio/events.py", "/x/minerva_hub/segment/bank.py"), "vad"),
        (("/x/minerva_hub/pipeline/scribe.py", "/x/minerva_hub/diarize/builtin.py"), "diarization"),
        (
            ("/x/minerva_hub/diarize/builtin.py", "/x/minerva_hub/diarize/features.py", "/x/numpy/a.py"),
            "features",
        ),
        (("/x/minerva_hub/transcribe/whisper.py", "/x/faster_whisper/transcribe.py"), "stt"),
        (("/x/minerva_hub/transcribe/whisper.py", "/x/faster_whisper/feature_extractor.py"), "features"),
        (("/x/minerva_hub/pipeline/tones.py", "/x/minerva_hub/tone/prosody.py"), "tone"),
        (("/x/minerva_hub/store/database.py",), "store writes"),
        (("/x/asyncio/events.py", "/x/aiohttp/web_protocol.py", "/x/minerva_hub/sse.py"), "page"),
        (("/x/minerva_hub/link/socket.py", "/x/aiohttp/http_websocket.py"), "network"),
        (("/x/minerva_hub/pipeline/live.py",), "pipeline"),
        (("/x/asyncio/base_events.py",), "event loop"),
        (("/x/logging/__init__.py",), "other"),
    ],
)
def test_the_innermost_place_that_is_known_names_the_stage(files: tuple[str, ...], stage: str) -> None:
    assert stage_of(stack(*files)) == stage


def test_a_threads_time_goes_to_its_stacks_and_waiting_is_apart() -> None:
    thread = Thread("worker", cpu_s=2.0)
    thread.working.update({stack("/minerva_hub/segment/a.py"): 3, stack("/minerva_hub/tone/a.py"): 1})
    thread.waiting.update(
        {
            stack("/minerva_hub/store/database.py"): 5,
            (("/minerva_hub/store/database.py", "f"), ("/concurrent/futures/thread.py", "_worker")): 7,
        }
    )
    found = by_stage([thread, Thread("never seen at work", cpu_s=1.0)], wall_s=10.0, samples=100)
    assert found["vad"] == Times(cpu_s=1.5) and found["tone"] == Times(cpu_s=0.5)
    assert found["store writes"].wait_s == pytest.approx(0.5)
    assert found[IDLE].wait_s == pytest.approx(0.7)


@linux
def test_a_busy_thread_works_and_a_sleeping_one_waits() -> None:
    until = threading.Event()

    def spin() -> None:
        while not until.is_set():
            sum(range(200))

    workers = [
        threading.Thread(target=spin, name="spins"),
        threading.Thread(target=lambda: until.wait(30), name="sleeps"),
    ]
    for worker in workers:
        worker.start()
    sampler = Sampler()
    sampler.start()
    time.sleep(0.5)
    sampler.stop()
    until.set()
    for worker in workers:
        worker.join()
    by_name = {thread.name: thread for thread in sampler.threads.values()}
    spins, sleeps = by_name["spins"], by_name["sleeps"]
    assert sum(spins.cpu().values()) == pytest.approx(spins.cpu_s) and spins.cpu_s > 10 * sleeps.cpu_s
    assert any(function == "spin" for found in spins.working for _, function in found)
    assert sleeps.waiting.total() > 5 * sleeps.working.total()


def test_a_flame_graph_is_as_wide_as_the_time_and_safe_to_open() -> None:
    folded = {("main", "<a>", "b"): 3.0, ("main", "<a>"): 1.0, ("other",): 4.0}
    picture = ElementTree.fromstring(svg(folded, "a & b"))
    boxes = {
        group[0].text: float(group[1].attrib["width"])
        for group in picture.iter("{http://www.w3.org/2000/svg}g")
    }
    assert boxes == {
        "main, 4.000 s": 600.0, "<a>, 4.000 s": 600.0, "b, 3.000 s": 450.0, "other, 4.000 s": 600.0,
    }  # fmt: skip
    assert folded_text(folded) == "main;<a> 1000000\nmain;<a>;b 3000000\nother 4000000\n"
    assert ElementTree.fromstring(svg({}, "nothing")) is not None


def made(features_s: float, others_s: float, backends: dict[str, float]) -> Profile:
    stages = {name: Times() for name in (*STAGES, IDLE)}
    stages["features"] = Times(cpu_s=features_s)
    stages["vad"] = Times(cpu_s=others_s / 2, wait_s=1.0)
    return Profile(
        source="made",
        devices=2,
        audio_s=100.0,
        sampled=Sampled(
            wall_s=50.0, cpu_s=features_s + others_s / 2, children_s=others_s / 2, native_s=0.0,
            stages=stages, folded=[], utterances=7, samples=1000, drops={},
            engines=(EngineInfo(stage="transcribe", name="pocketsphinx"),),
        ),
        backends_ms=backends,
        skipped={"whisper80": "minerva_native is not installed"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("features_s", "others_s", "bottleneck"),
    [(0.1, 9.9, False), (1.9, 8.1, False), (2.1, 7.9, True), (10.1, 1e6, True), (9.9, 1e6, False)],
)
def test_the_verdict_is_by_share_or_by_what_one_stream_takes(
    features_s: float, others_s: float, bottleneck: bool
) -> None:
    found = judge(made(features_s, others_s, {"scipy": 0.4, "whisper80": 0.1}))
    assert found.bottleneck is bottleneck
    assert found.share == pytest.approx(features_s / (features_s + others_s))
    assert (found.fastest, found.saved_share) == ("whisper80", pytest.approx(0.75 * found.share))


def test_the_record_holds_the_profiles_own_figures() -> None:
    found = made(1.0, 9.0, {"scipy": 0.4})
    text = record(found, "0099", "2026-01-02")
    assert text.startswith("# 0099: mel and MFCC in the hub, profiled: is no bottleneck\n")
    assert "| features | 10.00 | 0.00 | 10.0% |" in text
    assert "| stt | 45.00 | 0.00 | 45.0% |" in text
    assert "Not compared: whisper80, minerva_native is not installed." in text
    assert sum(row.share for row in rows(found)) == pytest.approx(1)


def minerva(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "minerva_tools.cli", "profile", *words],
        capture_output=True,
        text=True,
        timeout=170,
    )


@linux
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_real_hub_is_profiled(tmp_path: Path) -> None:
    flame, page = tmp_path / "f.svg", tmp_path / "0001-x.md"
    done = minerva("--seconds", "6", "--devices", "1", "--json", "--flame", str(flame), "--record", str(page))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    cost = {row["stage"]: row["cpu_ms"] for row in found["rows"]}
    assert cost["vad"] > 0 and cost["stt"] > 0
    assert sum(row["share"] for row in found["rows"]) == pytest.approx(1)
    assert ElementTree.parse(flame) is not None
    assert found["verdict"]["text"] in page.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--flame", "x.png"), "--flame x.png: the name must end in .svg or .folded"),
        (("--record", "notes.md"), "--record notes.md: a decision record is called NNNN-NAME.md"),
        (("nowhere.wav",), "nowhere.wav"),
        (("--seconds", "1"), "1.0 s of audio: 2 s to 3600 s can be played"),
    ],
)
def test_wrong_words_are_one_line(words: tuple[str, ...], said: str) -> None:
    done = minerva(*words)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
