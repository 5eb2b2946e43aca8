"""A float ``.tflite`` as a source: which one can be made int8, and what is put in order before."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter import lint
from converter.flatbuffer import Model
from converter.repair import pack
from wire.errors import RefusedError
from wire.states import NumericsFamily

_FLOAT: Final = "float_model"


def is_float(model: Model) -> bool:
    """Whether nothing in it is computed in integers but indices and shapes, and no weight is int8."""
    return any(finding.code == _FLOAT for finding in lint.findings(model))


def check(model: Model) -> None:
    """RefusedError with the first reason why the float ``model`` cannot become an int8 one."""
    for finding in lint.refusals(model, NumericsFamily.XNNPACK):
        if finding.code != _FLOAT:
            raise RefusedError(finding.code, finding.message, finding.remedy)
    if len(model.graphs) > 1:
        raise RefusedError(
            "many_graphs",
            f"the float model has {len(model.graphs)} subgraphs, of which only one can be made int8",
            "export one signature; unroll loops and branches",
        )
    main = model.graphs[0]
    for what, index in (("input", main.inputs[0]), ("output", main.outputs[0])):
        if main.tensors[index].dtype != "FLOAT32":
            raise RefusedError(
                "bad_type",
                f"the float model's {what} is {main.tensors[index].dtype.lower()}",
                "export it with float32 input and output",
            )


def prepare(data: bytes) -> bytes:
    """The same model with float32 weights and a batch of exactly one; in a child process.

    float16 weights are unpacked (a float16 constant behind a DEQUANTIZE); TensorFlow's calibrator
    crashes on them.
    """
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in tree.operatorCodes]
    for graph in tree.subgraphs:
        graph.operators = [op for op in graph.operators if not _unpacked(tree, graph, op, codes)]
        for tensor in graph.tensors:
            tensor.shapeSignature = None
    return pack(tree)


def _unpacked(tree: Any, graph: Any, op: Any, codes: list[int]) -> bool:
    """Whether ``op`` was nothing but the unpacking of a constant, which is now done."""
    if codes[op.opcodeIndex] != schema.BuiltinOperator.DEQUANTIZE:
        return False
    packed, wide = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    values = tree.buffers[packed.buffer].data
    if packed.type != schema.TensorType.FLOAT16 or values is None:
        return False
    made = schema.BufferT()
    half = np.asarray(values, np.uint8).view(np.float16)
    made.data = np.frombuffer(half.astype(np.float32).tobytes(), np.uint8)
    tree.buffers.append(made)
    wide.buffer = len(tree.buffers) - 1
    return True
