"""Whisper by faster-whisper (CTranslate2) on the CPU: one model in memory, one thread for each worker."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from minerva_hub.config import TranscribeConfig
from minerva_hub.config.languages import language_list, vocabulary_by_language
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.models import Found
from minerva_hub.transcribe import hallucinations
from minerva_hub.transcribe.base import RATE, Hypothesis, Pcm, TimedWord, Transcript, checked

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
        from minerva_hub.transcribe.whisper_model import PROMPT_TOKENS, CountingModel

        try:
            model = CountingModel(
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
        for language, words in _hotwords(self._config).items():
            if (count := model.tokens(words)) > PROMPT_TOKENS:
                where = f" for {language}" if language else ""
                raise EngineUnavailableError(
                    f"[transcribe] vocabulary{where} is {count} tokens to the model, which has room for "
                    f"{PROMPT_TOKENS}: name fewer words"
                )
        return model


class WhisperTranscriber:
    """One worker's hand on the shared model."""

    def __init__(self, model: Any, config: TranscribeConfig) -> None:
        self._model = model
        self._language = None if config.language == "auto" else config.language
        self._languages = language_list(config.languages)
        self._hotwords = _hotwords(config)
        self._beam = config.beam
        self._short = config.short_windows

    def transcribe(self, pcm: Pcm) -> Transcript:
        """pcm: int16 (n,), 16 kHz mono -> words with times; empty where Whisper doubts that it is speech."""
        samples = checked(pcm).astype(np.float32) / 32768
        if len(samples) < MIN_SECONDS * RATE:
            return Transcript("", (), self._language or "en")
        self._model.take_frames()
        try:
            language = self._language or self._model.language_of(samples, self._languages)
            pieces, info = self._model.transcribe(
                samples,
                language=language,
                beam_size=self._beam,
                temperature=0.0,  # no sampling: the same samples give the same words
                condition_on_previous_text=False,
                compression_ratio_threshold=hallucinations.MAX_COMPRESSION,
                log_prob_threshold=hallucinations.MIN_LOG_PROBABILITY,
                no_speech_threshold=hallucinations.MAX_NO_SPEECH,
                word_timestamps=True,
                vad_filter=False,  # the hub's segmenter has cut the speech already
                hotwords=self._words_to_expect(language),
            )
            kept = [piece for piece in pieces if _is_speech(piece, pcm)]
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"faster-whisper failed on {len(samples) / RATE:.1f} s: {error}") from error
        words = _timed(kept, len(samples) / RATE)
        sane = hallucinations.without_loops([word.text for word in words])
        text = " ".join(piece.text.strip() for piece in kept)
        if len(sane) < len(words):
            words = tuple(words[place] for place in sane)
            text = " ".join(word.text for word in words)
        return Transcript(text, words, info.language, self._model.take_frames())

    def hypothesis(self, pcm: Pcm) -> Hypothesis:
        """As `transcribe`, of unfinished speech: one window, one beam, no times."""
        samples = checked(pcm).astype(np.float32) / 32768
        if len(samples) < MIN_SECONDS * RATE:
            return Hypothesis(())
        self._model.take_frames()
        try:
            text, no_speech, log_probability, compression = self._model.unfinished(
                samples, self._language, self._languages, self._words_to_expect, self._short
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"faster-whisper failed on {len(samples) / RATE:.1f} s: {error}") from error
        frames = self._model.take_frames()
        peak_db = hallucinations.peak_db(pcm)
        evidence = hallucinations.Evidence(no_speech, log_probability, compression, peak_db)
        if not hallucinations.is_speech(text, evidence):
            return Hypothesis((), frames)
        words = text.split()
        return Hypothesis(tuple(words[place] for place in hallucinations.without_loops(words)), frames)

    def close(self) -> None:
        """Nothing to free: the model belongs to the engine."""

    def _words_to_expect(self, language: str) -> str | None:
        return self._hotwords.get(language, self._hotwords.get(""))


def _hotwords(config: TranscribeConfig) -> dict[str, str]:
    """The vocabulary as Whisper takes it, by language; "" for those without words of their own."""
    by_language = vocabulary_by_language(config.vocabulary)
    general = by_language.pop("", ())
    known = {"": general} | {code: (*general, *words) for code, words in by_language.items()}
    return {code: ", ".join(words) for code, words in known.items() if words}


def _is_speech(piece: Any, pcm: Pcm) -> bool:
    heard = pcm[int(piece.start * RATE) : int(piece.end * RATE)]
    evidence = hallucinations.Evidence(
        piece.no_speech_prob, piece.avg_logprob, piece.compression_ratio, hallucinations.peak_db(heard)
    )
    return hallucinations.is_speech(piece.text, evidence)


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
