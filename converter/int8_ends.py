"""int16 activations between int8 ends: what devices, golden vectors and the wire speak stays int8.

TensorFlow Lite's 16x8 mode gives files whose input and output are int16 or float. Here a QUANTIZE
(int8 -> int16) is put behind a new int8 input and one (int16 -> int8) before a new int8 output.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from ai_edge_litert import schema_py_generated as schema

from converter.repair import pack

_VERSION: Final = 2
"""Of QUANTIZE: the one that knows int16."""


def with_int8_ends(wide: bytes, like: bytes) -> bytes:
    """``wide``, a file with int16 ends, with the int8 input and output of its int8 twin ``like``.

    Both must come from a converter: the object API follows every offset.
    """
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(wide))
    ends = schema.ModelT.InitFromObj(schema.Model.GetRootAs(like)).subgraphs[0]
    graph = tree.subgraphs[0]
    opcode = _quantize(tree)
    inner = graph.inputs[0], graph.outputs[0]
    outer = (
        _outer(graph, inner[0], ends.tensors[ends.inputs[0]]),
        _outer(graph, inner[1], ends.tensors[ends.outputs[0]]),
    )
    graph.operators = [
        _operator(opcode, outer[0], inner[0]),
        *graph.operators,
        _operator(opcode, inner[1], outer[1]),
    ]
    graph.inputs, graph.outputs = [outer[0]], [outer[1]]
    for signature in tree.signatureDefs or []:
        signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = outer
    return pack(tree)


def _outer(graph: Any, inner: int, twin: Any) -> int:
    """A new int8 tensor beside ``inner``, which leaves it its name."""
    old = graph.tensors[inner]
    new = copy.copy(old)
    old.name = old.name + b"_int16"
    new.type, new.quantization = twin.type, twin.quantization
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _quantize(tree: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = _VERSION
    tree.operatorCodes.append(code)
    return len(tree.operatorCodes) - 1


def _operator(opcode: int, before: int, after: int) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = opcode, [before], [after]
    made.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    made.builtinOptions = schema.QuantizeOptionsT()
    return made
