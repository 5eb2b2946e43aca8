"""A small right model written down tensor by tensor, and what it takes to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.repair import pack

Edit = Callable[[Any], None]
Type = schema.TensorType
#: Tensors of the model, by place.
INPUT, WEIGHTS, BIAS, HIDDEN, SHAPE, OUTPUT = range(6)
FC, RESHAPE = range(2)
_SEED = 3


def model(*edits: Edit) -> bytes:
    """(1, 8) -> FULLY_CONNECTED -> (1, 6) -> RESHAPE -> (1, 2, 3), all int8, after ``edits`` of its tree."""
    tree = _tree()
    for edit in edits:
        edit(tree)
    return pack(tree)


def with_external_buffers(*edits: Edit) -> bytes:
    """The same with its weights behind the flatbuffer, as ai-edge-quantizer stores large ones."""
    tree = _tree()
    for edit in edits:
        edit(tree)
    outside = tree.buffers[1].data.tobytes()
    tree.buffers[1].data, tree.buffers[1].size = None, len(outside)
    tree.buffers[1].offset = 2
    start = len(_packed(tree))
    tree.buffers[1].offset = start
    return _packed(tree) + outside


def _packed(tree: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tree() -> Any:
    weights = np.random.default_rng(_SEED).integers(-127, 128, (6, 8), np.int8)
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [
        tensor("input", (1, 8), Type.INT8, 0.5),
        tensor("weights", (6, 8), Type.INT8, 0.02, 1),
        tensor("bias", (6,), Type.INT32, 0.01, 2),
        tensor("hidden", (1, 6), Type.INT8, 4.0),
        tensor("shape", (3,), Type.INT32, None, 3),
        tensor("output", (1, 2, 3), Type.INT8, 4.0),
    ]
    graph.inputs, graph.outputs = [INPUT], [OUTPUT]
    options = schema.FullyConnectedOptionsT()
    graph.operators = [
        operator(FC, [INPUT, WEIGHTS, BIAS], [HIDDEN], schema.BuiltinOptions.FullyConnectedOptions, options),
        operator(RESHAPE, [HIDDEN, SHAPE], [OUTPUT]),
    ]
    tree = schema.ModelT()
    tree.version, tree.description, tree.subgraphs = 3, "crafted", [graph]
    tree.operatorCodes = [code("FULLY_CONNECTED", 4), code("RESHAPE")]
    shape = np.array([1, 2, 3], np.int32)
    tree.buffers = [buffer(values) for values in (b"", weights.tobytes(), bytes(24), shape.tobytes())]
    return tree


def tensor(name: str, shape: tuple[int, ...], kind: int, scale: float | None, at: int = 0) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), kind, at
    if scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
    return made


def operator(at: int, inputs: list[int], outputs: list[int], kind: int = 0, options: Any = None) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = at, inputs, outputs
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def code(name: str, version: int = 1, custom: str | None = None) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, name)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)
    made.version, made.customCode = version, custom
    return made


def buffer(values: bytes) -> Any:
    made = schema.BufferT()
    made.data = np.frombuffer(values, np.uint8) if values else None
    return made
