"""A file through the same stages as a live stream, without devices, store or event loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from minerva_hub.audio import AudioFile
from minerva_hub.config import HubConfig
from minerva_hub.diarize import choose_diarizer
from minerva_hub.events import EngineInfo, Session, Utterance
from minerva_hub.pipeline.scribe import Draft, Written, line, write_down
from minerva_hub.pipeline.tones import ToneMeter, Tones
from minerva_hub.segment import EarBank, Segment, SegmentEnded
from minerva_hub.tone import choose_reader
from minerva_hub.transcribe import Engine, Transcriber, choose_engine

PACKET = 960  # samples: what a device sends at a time

Progress = Callable[[float, float | None], None]


class FileTranscript(msgspec.Struct, frozen=True):
    """What was said in a file. Times are milliseconds from its start; `problem` says what did not decode."""

    session: Session
    utterances: tuple[Utterance, ...]
    problem: str | None
    engine: EngineInfo  # what wrote it down, and why that


def transcribe_file(
    path: Path, config: HubConfig, progress: Progress = lambda done_s, of_s: None
) -> FileTranscript:
    """Transcribe an audio file; `progress` is told the seconds done and, if known, of how many. Blocks.

    AudioFileError when the file cannot be read, EngineUnavailableError when no engine can.
    """
    engine = choose_engine(config.transcribe, config.models.path)
    diarizer = choose_diarizer(config.diarize, config.models.path)
    book = diarizer.open_book()
    reader = choose_reader(config.tone, config.models.path)
    meter = None if reader is None else ToneMeter(reader)
    tones = Tones()
    utterances: list[Utterance] = []
    with AudioFile(path) as audio, _Workers(engine, config.transcribe.workers) as workers:
        segments = _segments(audio, config, progress)
        for written in workers.map(segments, lambda segment, own: write_down(segment, own, diarizer, meter)):
            first = len(utterances) + 1
            assigned = book.add(
                [
                    (first + i, draft.voice, (draft.end_ms - draft.start_ms) / 1000)
                    for i, draft in enumerate(written.drafts)
                ]
            )
            tones.relabel(assigned.changed)
            utterances = [
                msgspec.structs.replace(said, speaker=assigned.changed.get(said.id, said.speaker))
                for said in utterances
            ]
            utterances += [
                _utterance(first + i, path, draft, assigned.labels[first + i], engine.info.name, tones)
                for i, draft in enumerate(written.drafts)
            ]
        settled = book.settle()
        utterances = [
            msgspec.structs.replace(said, speaker=settled.get(said.id, said.speaker)) for said in utterances
        ]
        end_ms = round(audio.read_s * 1000)
        problem = audio.problem
    session = Session(
        id=1,
        device="file",
        room=path.stem,
        start_ms=0,
        end_ms=end_ms,
        utterances=len(utterances),
        speakers=tuple(sorted({said.speaker for said in utterances})),
    )
    return FileTranscript(session, tuple(utterances), problem, engine.info)


def _utterance(id_: int, path: Path, draft: Draft, speaker: str, engine: str, tones: Tones) -> Utterance:
    new = line(
        draft,
        session_id=1,
        device="file",
        room=path.stem,
        speaker=speaker,
        engine=engine,
        tone=tones.tone(id_, speaker, draft.sounding),
    )
    return Utterance(id=id_, **msgspec.structs.asdict(new))


def _segments(audio: AudioFile, config: HubConfig, progress: Progress) -> Iterator[Segment]:
    bank = EarBank(config.segment, backlog_s=config.ingest.backlog_s)
    ear = bank.open()
    start = 0
    for number, pcm in enumerate(audio.blocks(PACKET)):
        ear.feed(pcm, start // 16, number)
        start += len(pcm)
        for _, event in bank.step():
            if isinstance(event, SegmentEnded):
                yield event.segment
        if number % 16 == 0:
            progress(audio.read_s, audio.duration_s)
    ear.flush()
    while bank.busy:
        for _, event in bank.step():
            if isinstance(event, SegmentEnded):
                yield event.segment
    progress(audio.read_s, audio.duration_s)


class _Workers:
    """Threads with a transcriber each; results come in the order of the segments, few segments wait."""

    def __init__(self, engine: Engine, count: int) -> None:
        self._engine = engine
        self._count = count
        self._own = threading.local()
        self._opened: list[Transcriber] = []
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="transcriber")

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for transcriber in self._opened:
            transcriber.close()

    def map(
        self, segments: Iterator[Segment], work: Callable[[Segment, Transcriber], Written]
    ) -> Iterator[Written]:
        """Work on all segments."""
        waiting: deque[Future[Written]] = deque()
        for segment in segments:
            waiting.append(self._pool.submit(self._run, segment, work))
            if len(waiting) > 2 * self._count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _run(self, segment: Segment, work: Callable[[Segment, Transcriber], Written]) -> Written:
        transcriber: Transcriber | None = getattr(self._own, "transcriber", None)
        if transcriber is None:
            transcriber = self._own.transcriber = self._engine.open()
            self._opened.append(transcriber)
        return work(segment, transcriber)
