"""A small int8 model that TFLM's own plan wastes memory on: four 1x1 convolutions, as MobileNet begins.

Channels 12, 8, 8, 16, 4. TFLM places the 16 first, then the second 8 above it and the first 8 above both:
32 channels high. No two neighbours need more than 24.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.planning.builder import AlignedBuilder

CHANNELS = (12, 8, 8, 16, 4)
SIDE = 6
GREEDY = 32 * SIDE * SIDE
BOUND = 24 * SIDE * SIDE
_SCALE = 0.05
_WEIGHTS = 0.01


def chain() -> bytes:
    """The file; weights are random with a fixed seed."""
    dice = np.random.default_rng(3)
    graph = schema.SubGraphT(name=b"main", tensors=[], operators=[], inputs=[0])
    model = schema.ModelT(version=3, buffers=[schema.BufferT()], subgraphs=[graph])
    source = _tensor(model, "x", (1, SIDE, SIDE, CHANNELS[0]), schema.TensorType.INT8, [_SCALE])
    for turn, (taken, given) in enumerate(pairwise(CHANNELS)):
        weights = dice.integers(-127, 128, (given, 1, 1, taken), np.int8)
        kernel = _tensor(
            model, f"w{turn}", weights.shape, schema.TensorType.INT8, [_WEIGHTS] * given, weights
        )
        zeros = np.zeros(given, np.int32)
        bias = _tensor(
            model, f"b{turn}", zeros.shape, schema.TensorType.INT32, [_SCALE * _WEIGHTS] * given, zeros
        )
        made = _tensor(model, f"y{turn}", (1, SIDE, SIDE, given), schema.TensorType.INT8, [_SCALE])
        options = schema.Conv2DOptionsT(strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
        graph.operators.append(
            schema.OperatorT(
                opcodeIndex=0,
                inputs=[source, kernel, bias],
                outputs=[made],
                builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
                builtinOptions=options,
            )
        )
        source = made
    graph.outputs = [source]
    code = schema.BuiltinOperator.CONV_2D
    model.operatorCodes = [schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=3)]
    builder = AlignedBuilder(64 * 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model, name: str, shape, kind: int, scales: list[float], values=None) -> int:
    graph = model.subgraphs[0]
    buffer = 0
    if values is not None:
        buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    quantisation = schema.QuantizationParametersT(scale=scales, zeroPoint=[0] * len(scales))
    graph.tensors.append(
        schema.TensorT(
            shape=list(shape), type=kind, buffer=buffer, name=name.encode(), quantization=quantisation
        )
    )
    return len(graph.tensors) - 1
