"""The offline recogniser's own process: `python -m minerva_hub.transcribe.sphinx_worker`.

pocketsphinx keeps Python's lock while it decodes, for half a second and more after a long segment, so it must
not live in the hub's process. It answers the requests of `sphinx_wire`; the end of its input ends it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from minerva_hub.transcribe.base import RATE
from minerva_hub.transcribe.sphinx_wire import HEADER, MAX_REQUEST, Answer, Heard

LEVEL_DB: Final = -20.0  # of dBFS RMS: devices give speech at about -36, the model was trained on more
PAD: Final = RATE * 3 // 20  # 150 ms: the recogniser wants silence around the words
FRAME_S: Final = 0.01
# Means over the utterance's own frames, not running ones: nothing depends on what was decoded before.
SETTINGS: Final = {"samprate": RATE, "cmn": "batch", "loglevel": "FATAL"}


def levelled(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """int16 (n,) -> int16 (n,): brought to LEVEL_DB without clipping."""
    samples = pcm.astype(np.float64)
    rms, peak = float(np.sqrt(np.mean(samples**2))), float(np.abs(samples).max())
    if peak == 0:
        return pcm
    gain = min(32768 * 10 ** (LEVEL_DB / 20) / rms, 32000 / peak)
    return np.round(samples * gain).astype(np.int16)


def decode(decoder: Any, pcm: NDArray[np.int16]) -> Answer:
    """The words in int16 (n,); fillers and sentence marks stay out."""
    padded = np.pad(levelled(pcm), PAD)
    decoder.reinit_feat()  # else it remembers the noise of what came before
    decoder.start_utt()
    decoder.process_raw(padded.tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return Answer()
    length_s, pad_s = len(pcm) / RATE, PAD / RATE
    words = []
    for heard in decoder.seg():
        if heard.word[0] in "<[+":
            continue
        start_s = min(max(0.0, heard.start_frame * FRAME_S - pad_s), length_s)
        end_s = min(max(start_s, (heard.end_frame + 1) * FRAME_S - pad_s), length_s)
        words.append(Heard(heard.word, round(start_s, 3), round(end_s, 3), heard.prob))
    return Answer(tuple(words))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request until the input ends."""
    from pocketsphinx import Decoder

    decoder = Decoder(**SETTINGS)
    _send(answers, Answer())
    while len(header := requests.read(HEADER.size)) == HEADER.size:
        (count,) = HEADER.unpack(header)
        if count > MAX_REQUEST:
            raise ValueError(f"request of {count} bytes exceeds the {MAX_REQUEST}-byte limit")
        if len(body := requests.read(count)) < count:
            return
        pcm = np.frombuffer(body, "<i2")
        try:
            # Digital silence has no spectrum: what the recogniser makes of it is chance.
            answer = decode(decoder, pcm) if len(pcm) >= RATE // 20 and pcm.any() else Answer()
        except RuntimeError as error:
            answer = Answer(error=f"pocketsphinx: {error}")
            decoder = Decoder(**SETTINGS)
        _send(answers, answer)


def _send(answers: BinaryIO, answer: Answer) -> None:
    body = msgspec.json.encode(answer)
    answers.write(HEADER.pack(len(body)) + body)
    answers.flush()


def main() -> None:
    """Serve standard input and output; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the hub, which then closes our input
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
