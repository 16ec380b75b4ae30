"""Diarization by sherpa-onnx: pyannote's segmentation and a speaker embedding, both ONNX files on this disk.

Its library ends the process when a model is not what it expects, so both files are looked at before it gets
them (`check_models`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from minerva_hub.diarize.base import Bounds, Pcm, Timed, Turn
from minerva_hub.diarize.book import SessionBook
from minerva_hub.diarize.cosine import CosineSpace, placed
from minerva_hub.diarize.features import RATE, Floats
from minerva_hub.diarize.overlap import alone, untangled
from minerva_hub.diarize.space import Rules, Voice
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo

# Cosines. `same` is sherpa-onnx's own default for its clustering; no real weights have been run by us.
RULES: Final = Rules(same=0.5, founds_s=0.6, sure_s=2.0, doubt=0.25, neighbour=0.1, known=0.65, apart=0.1)
SEGMENTATION_KEYS: Final = (
    *("sample_rate", "window_size", "receptive_field_size", "receptive_field_shift"),
    *("num_speakers", "powerset_max_classes", "num_classes"),
)
EMBEDDING_KEYS: Final = ("sample_rate", "output_dim", "framework", "language")
FRAMEWORKS: Final = ("wespeaker", "3d-speaker", "nemo")
NEMO_KEYS: Final = ("feat_dim", "window_size_ms", "window_stride_ms")
OTHER_KEYS: Final = ("normalize_samples",)
WORDS: Final = ("framework", "language")  # among them; all others are numbers
MIN_ALONE_S: Final = (
    0.4  # of a speaker alone in a segment; with less, what is overlapped is listened to as well
)


class SherpaDiarizer:
    """Threads may share it; one segment at a time goes through the models.

    EngineUnavailableError when a file is missing, damaged, or not the model it should be.
    """

    def __init__(self, segmentation: Path, embedding: Path, bounds: Bounds, reason: str) -> None:
        check_models(segmentation, embedding)
        import sherpa_onnx

        self._segmenter, self._extractor = _load(sherpa_onnx, segmentation, embedding)
        self._lock = threading.Lock()
        self._bounds = bounds
        self.space = CosineSpace(f"sherpa-onnx/{embedding.stem}", RULES)
        self.info = EngineInfo(
            stage="diarize", name="sherpa-onnx", model=embedding.stem, state="ready", reason=reason
        )

    def split(self, pcm: Pcm, words: Sequence[Timed] = ()) -> list[Turn[Voice | None]]:
        """See Diarizer. EngineError when the library fails."""
        if not len(pcm):
            return []
        sound = pcm.astype(np.float32) / np.float32(32768)
        end_s = len(pcm) / RATE
        try:
            with self._lock:
                found = self._segmenter.process(sound).sort_by_start_time()
                stretches = [
                    (max(0.0, one.start), min(end_s, one.end), one.speaker)
                    for one in found
                    if one.start < min(end_s, one.end)
                ] or [(0.0, end_s, 0)]
                places = {speaker: self._place(sound, stretches, speaker) for _, _, speaker in stretches}
        except RuntimeError as problem:
            raise EngineError(f"sherpa-onnx: {problem}") from problem
        return [
            Turn(start_s, stop_s, None if who is None else placed(places[who], stop_s - start_s))
            for start_s, stop_s, who in untangled(stretches)
        ]

    def open_book(self) -> SessionBook:
        """A new session's memory of speakers."""
        return SessionBook(self.space, self._bounds)

    def _place(self, sound: Any, stretches: Sequence[tuple[float, float, int]], speaker: int) -> Floats:
        """Where a speaker of the segment lies, from what they say alone; zeros when that cannot be told."""
        pieces = alone(stretches, speaker)
        if sum(stop_s - start_s for start_s, stop_s in pieces) < MIN_ALONE_S:
            pieces = [(start_s, stop_s) for start_s, stop_s, who in stretches if who == speaker]
        heard = np.concatenate([sound[int(a * RATE) : int(b * RATE)] for a, b in pieces])
        stream = self._extractor.create_stream()
        stream.accept_waveform(sample_rate=RATE, waveform=heard)
        stream.input_finished()
        if not len(heard) or not self._extractor.is_ready(stream):
            return np.zeros(self._extractor.dim)
        return np.asarray(self._extractor.compute(stream), np.float64)


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("sherpa_onnx") is not None


def check_models(segmentation: Path, embedding: Path) -> None:
    """EngineUnavailableError when a file is missing, damaged, or not the model it should be."""
    said, _ = _look(segmentation, "speaker segmentation")
    _need(segmentation, "speaker segmentation", said, SEGMENTATION_KEYS)
    if said["powerset_max_classes"] != "2":
        raise EngineUnavailableError(
            f"{segmentation}: powerset_max_classes is {said['powerset_max_classes']}; sherpa-onnx knows 2"
        )
    said, given = _look(embedding, "speaker embedding")
    _need(embedding, "speaker embedding", said, EMBEDDING_KEYS)
    if said["framework"] not in FRAMEWORKS:
        raise EngineUnavailableError(
            f"{embedding}: framework is {said['framework']!r}; sherpa-onnx knows {', '.join(FRAMEWORKS)}"
        )
    _need(embedding, "speaker embedding", said, NEMO_KEYS if said["framework"] == "nemo" else OTHER_KEYS)
    wide = given[-1] if given else None
    if isinstance(wide, int) and str(wide) != said["output_dim"]:
        raise EngineUnavailableError(
            f"{embedding} is damaged: it gives {wide} numbers, and says {said['output_dim']}"
        )


def _look(file: Path, what: str) -> tuple[Mapping[str, str], Sequence[int | str | None]]:
    """What a model says of itself, and the shape of what it gives."""
    import onnxruntime

    if not file.is_file():
        raise EngineUnavailableError(f"the {what} model {file} is not there")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # onnxruntime has a class of its own for each of a dozen faults
        said = str(problem).splitlines()[0][:200]
        raise EngineUnavailableError(f"the {what} model {file} cannot be loaded: {said}") from problem
    return dict(session.get_modelmeta().custom_metadata_map), session.get_outputs()[0].shape


def _need(file: Path, what: str, metadata: Mapping[str, str], keys: Sequence[str]) -> None:
    lacking = [key for key in keys if key not in metadata]
    if lacking:
        raise EngineUnavailableError(
            f"{file} is no {what} model for sherpa-onnx: it lacks {', '.join(lacking)}"
        )
    for key in keys:
        if key not in WORDS and not metadata[key].isdigit():
            raise EngineUnavailableError(f"{file} is damaged: its {key} is {metadata[key]!r}, not a number")
    if metadata.get("sample_rate", str(RATE)) != str(RATE):
        raise EngineUnavailableError(f"{file} is for {metadata.get('sample_rate')} Hz; Minerva has {RATE} Hz")


def _load(sherpa_onnx: Any, segmentation: Path, embedding: Path) -> tuple[Any, Any]:
    pyannote = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(model=str(segmentation))
    voices = sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(embedding), num_threads=1)
    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(pyannote=pyannote, num_threads=1),
        embedding=voices,
        # Within one segment; who that is in the session, the book finds out.
        clustering=sherpa_onnx.FastClusteringConfig(num_clusters=-1, threshold=1 - RULES.same),
        min_duration_on=0.2,
        min_duration_off=0.3,
    )
    try:
        return sherpa_onnx.OfflineSpeakerDiarization(config), sherpa_onnx.SpeakerEmbeddingExtractor(voices)
    except RuntimeError as problem:
        raise EngineUnavailableError(
            f"sherpa-onnx cannot load {segmentation}, {embedding}: {problem}"
        ) from problem
