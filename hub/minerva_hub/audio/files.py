"""Audio files: anything PyAV reads, as int16 mono at 16 kHz.

They come in blocks, so that a recording of three hours does not sit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import av
import av.error
import numpy as np
import numpy.typing as npt

from minerva_hub.errors import AudioFileError

Samples = npt.NDArray[np.int16]

RATE: Final = 16_000
_BLOCK: Final = RATE  # one second: a progress bar moves smoothly, and the cost of a block is lost in decoding
_UNKNOWN_WAV: Final = 0x7FF0_0000  # bytes
_SHORT_S: Final = 0.5  # a codec's padding and a container's rounding stay below this


class AudioFile:
    """An audio file being read once, as a context manager.

    `duration_s` is what the container claims, None when it claims nothing. A damaged or truncated file is
    read as far as it decodes, nothing of it is lost, and `problem` then says in a sentence what was missing
    (a cut Ogg file states no length, so it just ends). AudioFileError when the file is missing, empty, not
    audio, or when not one sample of it decodes.
    """

    def __init__(self, path: Path, rate: int = RATE) -> None:
        self.path = path
        self.problem: str | None = None
        self.read_s = 0.0
        self._rate = rate
        self._container, self._stream = _open(path)
        self.duration_s = _duration(path, self._container, self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading it is over."""
        self._container.close()

    def blocks(self, size: int = _BLOCK) -> Iterator[Samples]:
        """Yield int16 (size,) blocks, the last one shorter; `read_s` tells how far it is."""
        pending: list[Samples] = []
        held = 0
        for piece in self._pieces():
            pending.append(piece)
            held += len(piece)
            if held < size:
                continue
            joined = np.concatenate(pending)
            whole = held - held % size
            for at in range(0, whole, size):
                self.read_s += size / self._rate
                yield joined[at : at + size]
            pending, held = [joined[whole:]], held - whole
        if held:
            self.read_s += held / self._rate
            yield np.concatenate(pending)
        self._judge_length()

    def _pieces(self) -> Iterator[Samples]:
        """Decoded and resampled pieces; a packet that does not decode is noted in `problem` and left out."""
        resampler = av.AudioResampler(format="s16", layout="mono", rate=self._rate)
        bad = 0
        for frames, error in _decoded(self._container, self._stream):
            if error is not None:
                bad += 1
                self.problem = f"{self.path}: {bad} damaged piece(s) were left out ({_reason(error)})"
            for frame in frames:
                try:
                    resampled = resampler.resample(frame)
                except (av.error.FFmpegError, ValueError) as changed:
                    # The layout or rate changes in mid-file: start a resampler for what follows.
                    self.problem = f"{self.path}: the audio format changes in mid-file ({_reason(changed)})"
                    yield from _samples(resampler.resample(None))
                    resampler = av.AudioResampler(format="s16", layout="mono", rate=self._rate)
                    resampled = self._resampled(resampler, frame)
                yield from _samples(resampled)
        yield from _samples(resampler.resample(None))

    def _resampled(self, resampler: Any, frame: Any) -> list[Any]:
        try:
            return list(resampler.resample(frame))
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioFileError(
                f"{self.path}: {frame.layout.name or 'this'} audio cannot be mixed to one channel"
                f" ({_reason(error)})"
            ) from error

    def _judge_length(self) -> None:
        if not self.read_s:
            raise AudioFileError(f"{self.path}: no audio in it could be decoded")
        claimed = self.duration_s
        if claimed is not None and claimed - self.read_s > max(_SHORT_S, 0.01 * claimed):
            self.problem = (
                f"{self.path}: ends after {self.read_s:.1f} s of {claimed:.1f} s; truncated or damaged"
            )


def read_audio(path: Path, rate: int = RATE) -> Samples:
    """A whole file as int16 (n,) mono; for short files. AudioFileError also when the file is damaged."""
    with AudioFile(path, rate) as audio:
        pcm = np.concatenate(list(audio.blocks()))
    if audio.problem:
        raise AudioFileError(audio.problem)
    return pcm


def _open(path: Path) -> tuple[Any, Any]:
    if not path.exists():
        raise AudioFileError(f"{path}: no such file")
    if not path.is_file():
        raise AudioFileError(f"{path}: not a file")
    try:
        if path.stat().st_size == 0:
            raise AudioFileError(f"{path}: the file is empty")
        # Only local files: a playlist must not make the hub fetch from the network.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise AudioFileError(f"{path}: not an audio file that can be read ({_reason(error)})") from error
    except OSError as error:
        raise AudioFileError(f"{path}: {error.strerror}") from error
    if not container.streams.audio:
        container.close()
        raise AudioFileError(f"{path}: there is no audio in it")
    return container, container.streams.audio[0]


def _duration(path: Path, container: Any, stream: Any) -> float | None:
    """Seconds that the file claims to hold; for a WAV that was cut, what its header still promises."""
    claimed = _container_duration(container, stream)
    if claimed is None or container.format.name != "wav":
        return claimed
    size = path.stat().st_size
    with path.open("rb") as file:
        promised = int.from_bytes(file.read(8)[4:], "little") + 8
    # Writers to a pipe put a huge number there, because they cannot know.
    cut = size < promised < _UNKNOWN_WAV
    return claimed * promised / size if cut else claimed


def _container_duration(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration) * float(stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return None


def _decoded(container: Any, stream: Any) -> Iterator[tuple[list[Any], Exception | None]]:
    """(frames, error) for each packet; an error while reading packets ends the file."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            yield [], error
            return
        try:
            yield packet.decode(), None
        except av.error.FFmpegError as error:
            yield [], error


def _samples(frames: list[Any]) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
