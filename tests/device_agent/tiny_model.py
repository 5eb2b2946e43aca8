"""A small int8 model, written down tensor by tensor: it exists wherever the tests run."""

from __future__ import annotations

from functools import cache

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as tflite

INPUT_SHAPE = (32, 6)
CLASSES = 5
INPUT_SCALE = 0.5
OUTPUT_SCALE = 4.0
_WEIGHT_SCALE = 0.02


@cache
def tiny_model(damaged: bool = False, seed: int = 11) -> bytes:
    """One fully connected layer; ``damaged``: other weights than those that gave the golden vectors."""
    inputs = int(np.prod(INPUT_SHAPE))
    weights = np.random.default_rng(seed).integers(-127, 128, (CLASSES, inputs), dtype=np.int8)
    if damaged:
        weights = -weights
    bias = np.zeros(CLASSES, np.int32)
    graph = tflite.SubGraphT()
    graph.tensors = [
        _tensor("in", (1, *INPUT_SHAPE), tflite.TensorType.INT8, INPUT_SCALE, 0),
        _tensor("weights", weights.shape, tflite.TensorType.INT8, _WEIGHT_SCALE, 1),
        _tensor("bias", bias.shape, tflite.TensorType.INT32, INPUT_SCALE * _WEIGHT_SCALE, 2),
        _tensor("out", (1, CLASSES), tflite.TensorType.INT8, OUTPUT_SCALE, 0),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [_fully_connected()]
    code = tflite.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tflite.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    model = tflite.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs = [code], [graph]
    model.buffers = [_buffer(b""), _buffer(weights.tobytes()), _buffer(bias.tobytes())]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, shape: tuple[int, ...], kind: int, scale: float, buffer: int) -> tflite.TensorT:
    tensor = tflite.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
    tensor.quantization = tflite.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    return tensor


def _fully_connected() -> tflite.OperatorT:
    operator = tflite.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = tflite.FullyConnectedOptionsT()
    return operator


def _buffer(data: bytes) -> tflite.BufferT:
    buffer = tflite.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else None
    return buffer
