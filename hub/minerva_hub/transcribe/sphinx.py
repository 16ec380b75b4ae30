"""The offline recogniser: pocketsphinx with its own English model, a process for each worker."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import threading
import time
from typing import Final

import msgspec

from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.transcribe.base import RATE, Hypothesis, Pcm, TimedWord, Transcript, checked
from minerva_hub.transcribe.sphinx_wire import HEADER, MAX_ANSWER, Answer

LOAD_TIMEOUT_S: Final = 120.0  # half a second warm; a cold, slow disk takes longer
SPEED_LIMIT: Final = 10.0  # decoding longer than this times the audio is a hang; 0.3 is usual
GRACE_S: Final = 30.0

_VARIANT = re.compile(r"\(\d+\)$")


class SphinxEngine:
    """pocketsphinx; needs no model file and says that it is rough."""

    def __init__(self, reason: str) -> None:
        self.info = EngineInfo(
            stage="transcribe", name="pocketsphinx", model="en-us", state="rough", reason=reason
        )

    def open(self) -> SphinxTranscriber:
        """Start the recogniser's process and wait until its model is loaded."""
        return SphinxTranscriber()


class SphinxTranscriber:
    """One recogniser process; a request that kills it is tried once more with a new one."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._closed = False
        self._process = _start()

    def transcribe(self, pcm: Pcm) -> Transcript:
        """pcm: int16 (n,), 16 kHz mono -> words with times. EngineError when the recogniser fails twice."""
        body = checked(pcm).astype("<i2", copy=False).tobytes()
        timeout_s = GRACE_S + SPEED_LIMIT * len(pcm) / RATE
        with self._asking:
            try:
                answer = self._ask(body, timeout_s)
            except _ProcessError as problem:
                _end(self._process)
                if self._closed:
                    raise EngineError("pocketsphinx was closed while it worked") from problem
                self._process = _start()
                try:
                    answer = self._ask(body, timeout_s)
                except _ProcessError as again:
                    _end(self._process)
                    raise EngineError(
                        f"pocketsphinx failed twice on {len(pcm) / RATE:.1f} s: {again}"
                    ) from again
        if answer.error is not None:
            raise EngineError(answer.error)
        words = tuple(
            TimedWord(_written(w.text), w.start_s, w.end_s, min(1.0, max(0.0, w.probability)))
            for w in answer.words
        )
        return Transcript(" ".join(word.text for word in words), words, "en")

    def hypothesis(self, pcm: Pcm) -> Hypothesis:
        """The words of unfinished speech: it is decoded from its beginning each time."""
        return Hypothesis(tuple(word.text for word in self.transcribe(pcm).words))

    def close(self) -> None:
        """End the process; what another thread is asking it fails with an EngineError."""
        self._closed = True
        self._process.kill()  # wakes the thread that waits for its answer
        with self._asking:
            _end(self._process)

    def _ask(self, body: bytes, timeout_s: float) -> Answer:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - _start asks for pipes
        try:
            stdin.write(HEADER.pack(len(body)) + body)
            stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: closed before
            raise _ProcessError(f"its process is gone ({error})") from error
        return _answer(self._process, timeout_s)


class _ProcessError(Exception):
    """The recogniser's process died, hung or talked nonsense."""


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "minerva_hub.transcribe.sphinx_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        _answer(process, LOAD_TIMEOUT_S)
    except _ProcessError as error:
        _end(process)
        raise EngineUnavailableError(f"the offline recogniser does not start: {error}") from error
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # it holds nothing that could be lost
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # what was still buffered for a process that is gone
                continue


def _answer(process: subprocess.Popen[bytes], timeout_s: float) -> Answer:
    deadline_s = time.monotonic() + timeout_s
    (count,) = HEADER.unpack(_read(process, HEADER.size, deadline_s))
    if count > MAX_ANSWER:
        raise _ProcessError(f"its answer of {count} bytes exceeds the {MAX_ANSWER}-byte limit")
    try:
        return msgspec.json.decode(_read(process, count, deadline_s), type=Answer)
    except msgspec.MsgspecError as error:
        raise _ProcessError(f"its answer cannot be read: {error}") from error


def _read(process: subprocess.Popen[bytes], count: int, deadline_s: float) -> bytes:
    """Exactly `count` bytes of its output, by the deadline."""
    pipe = process.stdout
    assert pipe is not None  # noqa: S101 - _start asks for pipes
    got = bytearray()
    while len(got) < count:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
            raise _ProcessError("it does not answer in time")
        block = os.read(pipe.fileno(), count - len(got))
        if not block:
            raise _ProcessError(f"its process ended with exit code {process.wait()}")
        got += block
    return bytes(got)


def _written(word: str) -> str:
    """A word of the dictionary as people write it: no mark of its pronunciation, a capital for I."""
    word = _VARIANT.sub("", word)
    return "I" + word[1:] if word == "i" or word.startswith("i'") else word
