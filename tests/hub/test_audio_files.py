"""Audio files as owners have them: other formats and rates, and every way a file can be bad."""

from pathlib import Path

import av
import numpy as np
import pytest
from minerva_hub.audio import AudioFile, read_audio
from minerva_hub.errors import AudioFileError

SECONDS = 3.0


def tone(rate: int, seconds: float = SECONDS) -> np.ndarray:
    """int16 (n,) 440 Hz at half scale."""
    t = np.arange(int(rate * seconds)) / rate
    return (16384 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)


def write(path: Path, codec: str, rate: int, layout: str = "stereo") -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        channels = 2 if layout == "stereo" else 1
        pcm = np.repeat(tone(rate), channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 44100),
        ("a.flac", "flac", 44100),
        ("a.mp3", "libmp3lame", 44100),
        ("a.mka", "libopus", 48000),
    ],
)
def test_stereo_becomes_16_khz_mono(tmp_path: Path, name: str, codec: str, rate: int):
    with AudioFile(write(tmp_path / name, codec, rate)) as audio:
        blocks = list(audio.blocks())
    assert audio.problem is None
    assert audio.duration_s == pytest.approx(SECONDS, abs=0.1)
    assert audio.read_s == pytest.approx(SECONDS, abs=0.1)
    assert [len(b) for b in blocks[:-1]] == [16000] * (len(blocks) - 1)
    assert 0 < len(blocks[-1]) <= 16000
    pcm = np.concatenate(blocks)
    assert pcm.dtype == np.int16
    middle = pcm[8000:40000].astype(np.float64)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(16384 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 16000 / len(middle) == pytest.approx(440, abs=1)


def test_a_16_khz_mono_wav_is_untouched(tmp_path: Path):
    path = write(tmp_path / "a.wav", "pcm_s16le", 16000, "mono")
    np.testing.assert_array_equal(read_audio(path), tone(16000))


def test_missing(tmp_path: Path):
    with pytest.raises(AudioFileError, match=r"nope\.wav: no such file"):
        AudioFile(tmp_path / "nope.wav")


def test_a_folder(tmp_path: Path):
    with pytest.raises(AudioFileError, match="not a file"):
        AudioFile(tmp_path)


def test_empty(tmp_path: Path):
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(AudioFileError, match=r"empty\.wav: the file is empty"):
        AudioFile(path)


@pytest.mark.parametrize("content", [b"hello, this is a letter\n" * 50, bytes(4000)])
def test_not_audio(tmp_path: Path, content: bytes):
    path = tmp_path / "letter.wav"
    path.write_bytes(content)
    with pytest.raises(AudioFileError, match=r"letter\.wav: not an audio file"):
        AudioFile(path)


def test_a_playlist_does_not_reach_the_network(tmp_path: Path):
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioFileError, match="not an audio file"):
        AudioFile(path)


def test_a_header_without_samples(tmp_path: Path):
    path = write(tmp_path / "a.wav", "pcm_s16le", 16000, "mono")
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"data") + 8])
    with pytest.raises(AudioFileError, match="no audio in it could be decoded"):
        read_audio(path)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mp3", "libmp3lame")]
)
def test_truncated_keeps_what_decodes_and_says_so(tmp_path: Path, name: str, codec: str):
    path = write(tmp_path / name, codec, 44100)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with AudioFile(path) as audio:
        samples = sum(len(block) for block in audio.blocks())
    assert samples / 16000 == pytest.approx(SECONDS / 2, abs=0.5)
    assert audio.problem is not None
    assert "s of 3.0 s; truncated or damaged" in audio.problem
    with pytest.raises(AudioFileError, match="truncated"):
        read_audio(path)


def test_damage_in_the_middle_loses_only_that(tmp_path: Path):
    path = write(tmp_path / "a.mp3", "libmp3lame", 44100)
    raw = bytearray(path.read_bytes())
    raw[20000:20600] = b"\x55" * 600
    path.write_bytes(raw)
    with AudioFile(path) as audio:
        samples = sum(len(block) for block in audio.blocks())
    assert samples / 16000 == pytest.approx(SECONDS, abs=0.2)
    assert audio.problem is not None
    assert "damaged" in audio.problem
