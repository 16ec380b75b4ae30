"""The Silero VAD network that faster-whisper carries, rebuilt so that one call serves many streams.

The file holds a *sequence* model: its batch axis is time for one stream (h and c are [1,1,128]), so 500
streams would be 500 calls. The same weights are put into a graph whose batch axis is streams, a window each.
The convolutions become matrix products on the way, as onnxruntime's convolution over 1 to 4 frames is mostly
overhead: 12 µs a window in a batch of 64 against 47 µs, one thread of a Xeon with AVX-512. `load` compares
the result with the original.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import numpy_helper, parser

from minerva_hub.errors import EngineUnavailableError

Floats = npt.NDArray[np.float32]

WINDOW: Final = 512  # samples judged at a time: 32 ms
CONTEXT: Final = 64  # samples from before the window that the network also sees
HIDDEN: Final = 128  # size of each of the two LSTM states

_ASSET: Final = "silero_vad_v6.onnx"
_TOLERANCE: Final = 1e-4  # of a probability; single precision in another order of summation gives about 1e-6

# STFT of 4 frames of 256 (hop 128), magnitudes, four convolutions over frames (4, 4, 2, 1), one LSTM step,
# one sigmoid. A product with `taps` side by side is a convolution; taps that only meet padding are absent.
_GRAPH: Final = """
<ir_version: 8, opset_import: ["" : 18]>
vad (float[n, 576] window, float[n, 128] h, float[n, 128] c)
    => (float[n] probability, float[n, 128] h_next, float[n, 128] c_next)
{
    padded = Pad <mode = "reflect"> (window, pad_right_64)
    blocks = Reshape (padded, shape_5_128)
    block_0, block_1, block_2, block_3, block_4 = Split <axis = 1, num_outputs = 5> (blocks)
    halves = Concat <axis = 1> (block_0, block_1, block_1, block_2, block_2, block_3, block_3, block_4)
    frames = Reshape (halves, shape_4_256)
    spectrum = MatMul (frames, stft)
    squares = Mul (spectrum, spectrum)
    real, imaginary = Split <axis = 2, num_outputs = 2> (squares)
    power = Add (real, imaginary)
    magnitude = Sqrt (power)

    around = Pad (magnitude, pad_frames_1_1)
    left, middle_0, middle_1, middle_2, middle_3, right = Split <axis = 1, num_outputs = 6> (around)
    taps_left = Concat <axis = 1> (left, middle_0, middle_1, middle_2)
    taps_right = Concat <axis = 1> (middle_1, middle_2, middle_3, right)
    taps_0 = Concat <axis = 2> (taps_left, magnitude, taps_right)
    product_0 = MatMul (taps_0, weight_0)
    sum_0 = Add (product_0, bias_0)
    layer_0 = Relu (sum_0)

    before = Pad (layer_0, pad_frames_1_0)
    frame_l, frame_0, frame_1, frame_2, frame_3 = Split <axis = 1, num_outputs = 5> (before)
    taps_1a = Concat <axis = 2> (frame_l, frame_0, frame_1)
    taps_1b = Concat <axis = 2> (frame_1, frame_2, frame_3)
    taps_1 = Concat <axis = 1> (taps_1a, taps_1b)
    product_1 = MatMul (taps_1, weight_1)
    sum_1 = Add (product_1, bias_1)
    layer_1 = Relu (sum_1)

    taps_2 = Reshape (layer_1, shape_128)
    sum_2 = Gemm (taps_2, weight_2, bias_2)
    layer_2 = Relu (sum_2)
    sum_3 = Gemm (layer_2, weight_3, bias_3)
    layer_3 = Relu (sum_3)

    features = Concat <axis = 1> (layer_3, h)
    gates = Gemm (features, weight_gates, bias_gates)
    gates_iof, gate_c = Split <axis = 1> (gates, split_384_128)
    open_iof = Sigmoid (gates_iof)
    open_i, open_o, open_f = Split <axis = 1, num_outputs = 3> (open_iof)
    candidate = Tanh (gate_c)
    kept = Mul (open_f, c)
    added = Mul (open_i, candidate)
    c_next = Add (kept, added)
    c_squashed = Tanh (c_next)
    h_next = Mul (open_o, c_squashed)

    h_positive = Relu (h_next)
    logit = Gemm (h_positive, weight_out, bias_out)
    speech = Sigmoid (logit)
    probability = Reshape (speech, shape_flat)
}
"""


def model_path() -> Path:
    """The model file inside the installed faster_whisper, found without importing it (0.5 s and 100 MB)."""
    spec = find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "assets" / _ASSET
        if path.is_file():
            return path
    found = f"faster-whisper {version('faster-whisper')}" if spec else "no faster-whisper"
    raise EngineUnavailableError(
        f"the speech detector needs {_ASSET}, which faster-whisper 1.2 carries; {found} is installed"
    )


def load(path: Path | None = None) -> onnxruntime.InferenceSession:
    """A session of window (n,576), h and c (n,128) -> probability (n,), h_next, c_next (n,128), all float32.

    One thread. EngineUnavailableError when the file is missing or is another network than the one known here.
    """
    path = path or model_path()
    try:
        session = open_session(_rebuilt(path).SerializeToString())
        error = _difference(open_session(str(path)), session)
    except EngineUnavailableError:
        raise
    except Exception as problem:  # onnx and onnxruntime each raise several types of their own
        raise EngineUnavailableError(f"{path}: not the Silero VAD network known here: {problem}") from problem
    if not error <= _TOLERANCE:
        raise EngineUnavailableError(
            f"{path}: not the Silero VAD network known here: probabilities differ by {error:.2g}, "
            f"{_TOLERANCE:.0e} is allowed; faster-whisper 1.2 carries the right one"
        )
    return session


def open_session(model: bytes | str) -> onnxruntime.InferenceSession:
    """A session on one thread: the hub decides what runs beside what."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_sequence(session: onnxruntime.InferenceSession, windows: Floats) -> Floats:
    """The original network over the windows (n,576) of one stream from its start -> (n,)."""
    state = np.zeros((1, 1, HIDDEN), np.float32)
    out: Floats = session.run(["speech_probs"], {"input": windows, "h": state, "c": state})[0]
    return out


def _rebuilt(path: Path) -> onnx.ModelProto:
    weights = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}

    def take(name: str, *shape: int) -> npt.NDArray[Any]:
        found = weights.get(name)
        if found is None or found.shape != shape:
            what = "missing" if found is None else f"of shape {found.shape}"
            raise EngineUnavailableError(
                f"{path}: not the Silero VAD network known here: {name} is {what}, it should be {shape}"
            )
        return np.asarray(found)

    def conv(layer: int, outputs: int, inputs: int, taps: slice) -> npt.NDArray[Any]:
        kernel = take(f"encoder.conv_layers.{layer}.weight", outputs, inputs, 3)[:, :, taps]
        return kernel.transpose(2, 1, 0).reshape(-1, outputs)

    input_bias, hidden_bias = np.split(take("onnx::LSTM_211", 1, 8 * HIDDEN)[0], 2)
    gate_inputs = [take(name, 1, 4 * HIDDEN, HIDDEN)[0] for name in ("onnx::LSTM_209", "onnx::LSTM_210")]
    constants: dict[str, npt.ArrayLike] = {
        "pad_right_64": [0, 0, 0, CONTEXT],
        "pad_frames_1_1": [0, 1, 0, 0, 1, 0],
        "pad_frames_1_0": [0, 1, 0, 0, 0, 0],
        "shape_5_128": [-1, 5, 128],
        "shape_4_256": [-1, 4, 256],
        "shape_128": [-1, 128],
        "shape_flat": [-1],
        "split_384_128": [384, 128],
        "stft": take("encoder.feature_extractor.forward_basis_buffer", 258, 1, 256)[:, 0].T,
        "weight_0": conv(0, 128, 129, slice(0, 3)),
        "weight_1": conv(1, 64, 128, slice(0, 3)),
        "weight_2": conv(2, 64, 64, slice(1, 3)),
        "weight_3": conv(3, 128, 64, slice(1, 2)),
        **{f"bias_{i}": take(f"encoder.conv_layers.{i}.bias", n) for i, n in enumerate((128, 64, 64, 128))},
        "weight_gates": np.hstack(gate_inputs).T,
        "bias_gates": input_bias + hidden_bias,
        "weight_out": take("decoder.conv1d.weight", 1, HIDDEN, 1)[:, :, 0].T,
        "bias_out": take("decoder.conv1d.bias", 1),
    }
    model = parser.parse_model(_GRAPH)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()
    )
    onnx.checker.check_model(model)
    return model


def _difference(original: onnxruntime.InferenceSession, session: onnxruntime.InferenceSession) -> float:
    """Largest difference of the two networks' probabilities over a second of voice-like pulses and noise."""
    rng = np.random.default_rng(0)
    t = np.arange(32 * WINDOW) / 16_000
    voice = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20)) * (np.sin(2 * np.pi * 3 * t) > 0)
    sound = (0.1 * voice + 0.01 * rng.standard_normal(len(t))).astype(np.float32)
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + WINDOW)[::WINDOW]
    expected = run_sequence(original, windows)
    h = c = np.zeros((1, HIDDEN), np.float32)
    worst = 0.0
    for window, want in zip(windows, expected, strict=True):
        got, h, c = session.run(None, {"window": window[None], "h": h, "c": c})
        worst = max(worst, abs(float(got[0]) - float(want)))
    return worst
