"""Writes a network of 8-bit integers as a .tflite file, and floating-point ones for tests: no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

IDENTIFIER: Final = b"TFL3"
_TYPES: Final = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}


class Writer:
    """One graph: tensors and operators are added in order, `finish` gives the file's bytes."""

    def __init__(self, description: str) -> None:
        self._model: Any = schema.ModelT()
        self._model.version = 3
        self._model.description = description
        self._model.buffers = [schema.BufferT()]
        self._graph: Any = schema.SubGraphT()
        self._graph.name, self._graph.tensors, self._graph.operators = "main", [], []
        self._model.subgraphs, self._model.operatorCodes = [self._graph], []
        self._codes: dict[int, int] = {}

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: type[np.generic],
        *,
        data: NDArray[Any] | None = None,
        scale: Sequence[float] | None = None,
        zero: int = 0,
        axis: int = 0,
        any_length: bool = False,
    ) -> int:
        """Add a tensor; with `scale` it stands for scale * (value - zero), per index of `axis` if several."""
        tensor: Any = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), _TYPES[np.dtype(kind)], 0
        if any_length:
            tensor.shapeSignature = [-1, *shape[1:]]
        if data is not None:
            buffer: Any = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, kind).tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        if scale is not None:
            quantisation: Any = schema.QuantizationParametersT()
            quantisation.scale = np.asarray(scale, np.float32)
            quantisation.zeroPoint = np.full(len(scale), zero, np.int64)
            quantisation.quantizedDimension = axis
            tensor.quantization = quantisation
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def operator(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        kind: int = 0,
        options: object = None,
        version: int = 1,
    ) -> None:
        """Add an operator by its code in the schema."""
        if code not in self._codes:
            entry: Any = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
            self._codes[code] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(entry)
        operator: Any = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            self._codes[code],
            list(inputs),
            list(outputs),
        )
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self._graph.operators.append(operator)

    def convolution(
        self,
        inputs: Sequence[int],
        output: int,
        stride: int,
        *,
        depth: bool = False,
        same: bool = True,
        relu: bool = True,
    ) -> None:
        """A convolution of input, weights and bias, of 8 bits per channel: version 3 of both operators."""
        options: Any = schema.DepthwiseConv2DOptionsT() if depth else schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME if same else schema.Padding.VALID
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        chosen = schema.ActivationFunctionType
        options.fusedActivationFunction = chosen.RELU if relu else chosen.NONE
        code, kind = schema.BuiltinOperator.CONV_2D, schema.BuiltinOptions.Conv2DOptions
        if depth:
            options.depthMultiplier = 1
            code, kind = (
                schema.BuiltinOperator.DEPTHWISE_CONV_2D,
                schema.BuiltinOptions.DepthwiseConv2DOptions,
            )
        self.operator(code, inputs, [output], kind, options, 3)

    def mean_over(self, source: int, output: int, height: int, width: int) -> None:
        """The mean of each height by width."""
        options: Any = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH, options.strideW = height, width
        options.filterHeight, options.filterWidth = height, width
        options.fusedActivationFunction = schema.ActivationFunctionType.NONE
        code = schema.BuiltinOperator.AVERAGE_POOL_2D
        self.operator(code, [source], [output], schema.BuiltinOptions.Pool2DOptions, options, 2)

    def logistic(self, source: int, output: int) -> None:
        """1 / (1 + exp(-x))."""
        self.operator(schema.BuiltinOperator.LOGISTIC, [source], [output], version=2)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self._model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())
