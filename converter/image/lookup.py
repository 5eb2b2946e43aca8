"""Operators that make each value of one value, as tables of 256 results.

TFLM itself fills the table when the image is compiled, by a model of just this operator, in a child
process: every such operator is then one kernel, and exact by construction.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter import child
from converter.image.graph import Array, Node, Tensor
from converter.image.operands import int8_only
from converter.image.step import Places, Step
from converter.repair import pack
from wire.errors import RefusedError

KIND: Final = 11
VALUES: Final = 256
INPUTS: Final = np.arange(VALUES, dtype=np.uint8).view(np.int8)[np.newaxis]
MODEL_FILE: Final = "{}.tflite"
TABLE_FILE: Final = "{}.table"
_ALONE: Final = frozenset(
    {"ABS", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "QUANTIZE", "RELU", "RELU6", "TANH"}
)
_WITH_CONSTANT: Final = frozenset(
    {"ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB"}
)
"""With a single constant for the other operand."""
NAMES: Final = _ALONE | _WITH_CONSTANT
"""Operators of which at least some have a table."""
_TIMEOUT_S: Final = 120.0
Tabulate = Callable[[Sequence[bytes]], "list[Array | str]"]
"""Tables of models of one operator; instead of a table the reason why there is none."""


def tabulated(node: Node) -> bool:
    """Whether a table does for a node."""
    if node.name in _ALONE:
        return True
    return node.name in _WITH_CONSTANT and [
        tensor is not None and tensor.values is not None and tensor.size == 1 for tensor in node.inputs
    ] in ([True, False], [False, True])


def lookups(nodes: Sequence[Node], tabulate: Tabulate) -> dict[int, Step]:
    """Steps by the nodes' places; RefusedError for what TFLM does not run."""
    models = {node.place: _model(node) for node in nodes}
    distinct = list(dict.fromkeys(models.values()))
    tables = dict(zip(distinct, tabulate(distinct) if distinct else (), strict=True))
    return {node.place: _step(node, tables[models[node.place]]) for node in nodes}


def tables_in_child(models: Sequence[bytes]) -> list[Array | str]:
    """TFLM ends its process when it dislikes a model; the tables up to there are found all the same."""
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        for number, model in enumerate(models):
            (folder / MODEL_FILE.format(number)).write_bytes(model)
        try:
            said = child.call("converter.image.lookup_worker", folder, facts=list[str], timeout_s=_TIMEOUT_S)
        except RefusedError as error:
            said = [error.message] * len(models)
        found = [_table(folder, number) for number in range(len(models))]
        return [why if table is None else table for table, why in zip(found, said, strict=True)]


def _table(folder: Path, number: int) -> Array | None:
    file = folder / TABLE_FILE.format(number)
    return np.frombuffer(file.read_bytes(), np.int8) if file.exists() else None


def _computed(node: Node) -> Tensor:
    for tensor in node.inputs:
        if tensor is not None and tensor.values is None:
            return tensor
    raise node.refused("has a constant where it computes")


def _step(node: Node, table: Array | str) -> Step:
    if isinstance(table, str):
        raise node.refused(f"has no table ({table})")
    given, made = _computed(node), node.output
    if given.size != made.size:
        raise node.refused(f"makes {made.shape} of {given.shape}")

    def words(places: Places) -> list[int]:
        return [places.tensor(given.index), places.tensor(made.index), made.size, places.constant(table)]

    return Step(KIND, node.name, (given.index,), (made.index,), words, over=(given.index,))


def _model(node: Node) -> bytes:
    """The operator on a row of 256 values."""
    tensors = [tensor for tensor in node.inputs if tensor is not None]
    int8_only(node, *tensors, node.output)
    tree = schema.ModelT()
    tree.version, tree.buffers, tree.operatorCodes = 3, [schema.BufferT()], [schema.OperatorCodeT()]
    code = getattr(schema.BuiltinOperator, node.name)
    tree.operatorCodes[0].builtinCode = code
    tree.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)
    graph, operator = schema.SubGraphT(), schema.OperatorT()
    graph.tensors = [_tensor(tree, tensor) for tensor in (*tensors, node.output)]
    operator.inputs, operator.outputs = list(range(len(tensors))), [len(tensors)]
    if node.options is not None:
        name = type(node.options).__name__.removesuffix("T")
        operator.builtinOptions = node.options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    graph.operators, tree.subgraphs = [operator], [graph]
    graph.inputs, graph.outputs = [tensors.index(_computed(node))], [len(tensors)]
    return pack(tree)


def _tensor(tree: Any, tensor: Tensor) -> Any:
    made = schema.TensorT()
    made.type, made.buffer = schema.TensorType.INT8, 0
    made.shape = [1, VALUES] if tensor.values is None else [1]
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = list(tensor.scales), list(tensor.zeros)
    if tensor.values is not None:
        made.buffer = len(tree.buffers)
        tree.buffers.append(schema.BufferT())
        tree.buffers[-1].data = tensor.values.reshape(-1).view(np.uint8)
    return made
