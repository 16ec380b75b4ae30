"""faster-whisper's model with what live use needs beside it: counted frames, the words of unfinished speech.

Importing this loads faster-whisper, which takes half a second: only `whisper.py` does, to open a model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens
from numpy.typing import NDArray

Samples = NDArray[np.float32]

WINDOW: Final = 3000  # frames of 10 ms that the encoder is trained on; shorter ones cost less
LEAST: Final = 100  # frames of a short window
PROMPT_TOKENS: Final = 223  # what the decoder has room for before the text; faster-whisper cuts the rest off
# A quick person says five words, eight tokens, a second; a decoder that says more is in a loop, at a cost.
TOKENS_A_SECOND: Final = 10
SPARE_TOKENS: Final = 8


class CountingModel(WhisperModel):  # type: ignore[misc]
    """Counts the frames that its encoder is given, for each thread apart."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counted = threading.local()
        self._tokenizers: dict[str, Tokenizer] = {}

    def encode(self, features: NDArray[np.float32]) -> Any:
        """faster-whisper's encode, through which every window goes: float32 ([batch,] mels, frames)."""
        frames = features.shape[-1] * (features.shape[0] if features.ndim == 3 else 1)
        self._counted.frames = getattr(self._counted, "frames", 0) + frames
        return super().encode(features)

    def take_frames(self) -> int:
        """The frames that this thread had encoded since the last call."""
        frames: int = getattr(self._counted, "frames", 0)
        self._counted.frames = 0
        return frames

    def tokens(self, text: str) -> int:
        """How many tokens a text is."""
        return len(self._tokenizer("en").encode(f" {text.strip()}"))

    def language_of(self, samples: Samples, allowed: Collection[str]) -> str:
        """The likeliest language of the samples, among `allowed` unless that is empty."""
        return self._likeliest(self.encode(self._window(samples, WINDOW)), allowed)

    def unfinished(
        self,
        samples: Samples,
        language: str | None,
        allowed: Collection[str],
        hotwords: Callable[[str], str | None],
        short: bool,
    ) -> tuple[str, float, float, float]:
        """The text of speech that goes on: (text, no-speech probability, mean log-probability, compression).

        One window, one beam, no times. `short`: encode no more frames than there are.
        """
        features = self._window(samples, None if short else WINDOW)
        encoded = self.encode(features)
        language = language or self._likeliest(encoded, allowed)
        tokenizer = self._tokenizer(language)
        prompt = self.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hotwords(language))
        most = int(TOKENS_A_SECOND * len(samples) / 16_000) + SPARE_TOKENS
        [result] = self.model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=min(self.max_length, len(prompt) + most),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return text, result.no_speech_prob, mean, get_compression_ratio(text)

    def _window(self, samples: Samples, frames: int | None) -> NDArray[np.float32]:
        features = self.feature_extractor(samples)[..., :-1]
        if frames is None:
            frames = min(WINDOW, max(LEAST, features.shape[-1] + features.shape[-1] % 2))
        window: NDArray[np.float32] = pad_or_trim(features, frames)
        return window

    def _likeliest(self, encoded: Any, allowed: Collection[str]) -> str:
        if not self.model.is_multilingual:
            return "en"
        likely = [token[2:-2] for token, _ in self.model.detect_language(encoded)[0]]
        likeliest: str = next((code for code in likely if not allowed or code in allowed), likely[0])
        return likeliest

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self.hf_tokenizer, self.model.is_multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]
