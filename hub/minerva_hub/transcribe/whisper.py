"""Whisper by faster-whisper (CTranslate2) on the CPU: one model in memory, one thread for each worker."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.models import Found
from minerva_hub.transcribe.base import RATE, Pcm, TimedWord, Transcript, checked

# Whisper invents text for what is not speech. A piece is dropped when the model itself thinks so, and not
# only a little; the limits are those of OpenAI's decoder.
MAX_NO_SPEECH: Final = 0.6
MIN_LOG_PROBABILITY: Final = -1.0
MAX_COMPRESSION: Final = 2.4  # text that repeats itself compresses better than this
MIN_SECONDS: Final = 0.1


class WhisperEngine:
    """A Whisper model on disk; the workers share it once it is loaded."""

    def __init__(self, model: Found, config: TranscribeConfig, reason: str) -> None:
        self.info = EngineInfo(
            stage="transcribe", name="faster-whisper", model=model.name, state="ready", reason=reason
        )
        self._found = model
        self._config = config
        self._lock = threading.Lock()
        self._model: Any = None

    def open(self) -> WhisperTranscriber:
        """Load the model, the first time; EngineUnavailableError when its files are damaged."""
        with self._lock:
            if self._model is None:
                self._model = self._load()
        return WhisperTranscriber(self._model, self._config)

    def _load(self) -> Any:
        from faster_whisper import WhisperModel

        try:
            return WhisperModel(
                str(self._found.folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=1,
                num_workers=self._config.workers,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineUnavailableError(
                f"the Whisper model in {self._found.folder} cannot be loaded: {error}"
            ) from error


class WhisperTranscriber:
    """One worker's hand on the shared model."""

    def __init__(self, model: Any, config: TranscribeConfig) -> None:
        self._model = model
        self._language = None if config.language == "auto" else config.language
        self._beam = config.beam

    def transcribe(self, pcm: Pcm) -> Transcript:
        """pcm: int16 (n,), 16 kHz mono -> words with times; empty where Whisper doubts that it is speech."""
        samples = checked(pcm).astype(np.float32) / 32768
        if len(samples) < MIN_SECONDS * RATE:
            return Transcript("", (), self._language or "en")
        try:
            pieces, info = self._model.transcribe(
                samples,
                language=self._language,
                beam_size=self._beam,
                temperature=0.0,  # no sampling: the same samples give the same words
                condition_on_previous_text=False,
                compression_ratio_threshold=MAX_COMPRESSION,
                log_prob_threshold=MIN_LOG_PROBABILITY,
                no_speech_threshold=MAX_NO_SPEECH,
                word_timestamps=True,
                vad_filter=False,  # the hub's segmenter has cut the speech already
            )
            kept = [piece for piece in pieces if _is_speech(piece)]
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"faster-whisper failed on {len(samples) / RATE:.1f} s: {error}") from error
        words = _timed(kept, len(samples) / RATE)
        return Transcript(" ".join(piece.text.strip() for piece in kept), words, info.language)

    def close(self) -> None:
        """Nothing to free: the model belongs to the engine."""


def _is_speech(piece: Any) -> bool:
    if not piece.text.strip() or piece.compression_ratio > MAX_COMPRESSION:
        return False
    return not (piece.no_speech_prob > MAX_NO_SPEECH and piece.avg_logprob < MIN_LOG_PROBABILITY)


def _timed(pieces: Iterable[Any], length_s: float) -> tuple[TimedWord, ...]:
    """The words in order, none of them outside the samples: Whisper's clock runs on into its padding."""
    words: list[TimedWord] = []
    last_s = 0.0
    for word in (word for piece in pieces for word in piece.words or ()):
        text = word.word.strip()
        if not text:
            continue
        start_s = min(max(last_s, float(word.start)), length_s)
        last_s = min(max(start_s, float(word.end)), length_s)
        confidence = min(1.0, max(0.0, float(word.probability)))
        words.append(TimedWord(text, round(start_s, 3), round(last_s, 3), confidence))
    return tuple(words)
