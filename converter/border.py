"""QUANTIZE and DEQUANTIZE at the ends of an int8 model, and the same model without them.

TensorFlow's converter leaves them there unless it is told int8 for input and output; its own
``modify_model_io_type`` takes them off the same way.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from converter.flatbuffer import Graph, Model, Operator, Tensor
from converter.planning.offline import drop_plan

_CODES: Final = {"FLOAT32": "unquantised_io", "UINT8": "uint8_model"}
"""What is taken off, and what lint calls it."""
_UINT8_SHIFT: Final = 128


class Ends(NamedTuple):
    """Operators to take off, by place; the tensor outside goes with each."""

    first: int | None
    """A QUANTIZE that alone reads the input."""
    last: int | None
    """A DEQUANTIZE, or QUANTIZE to uint8, that alone writes the output."""


def ends(model: Model) -> Ends | None:
    """What can be taken off; None when there is nothing, or when the model would not be int8 then either."""
    if len(model.graphs) != 1 or len(model.graphs[0].inputs) != 1 or len(model.graphs[0].outputs) != 1:
        return None
    graph = model.graphs[0]
    first, last = _first(graph), _last(graph)
    inner_in = graph.operators[first].outputs[0] if first is not None else graph.inputs[0]
    inner_out = graph.operators[last].inputs[0] if last is not None else graph.outputs[0]
    inner = graph.tensors[inner_in], graph.tensors[inner_out]
    taken = {first, last} - {None}
    if not taken or len(taken) == len(graph.operators) or any(tensor.dtype != "INT8" for tensor in inner):
        return None
    return Ends(first, last)


def codes(model: Model) -> list[str]:
    """Codes of the findings that taking them off settles."""
    if ends(model) is None:
        return []
    graph = model.graphs[0]
    dtypes = {graph.tensors[index].dtype for index in (*graph.inputs, *graph.outputs)}
    return [code for dtype, code in _CODES.items() if dtype in dtypes]


def take_off(tree: Any, model: Model) -> None:
    """Do it to a ``schema.ModelT``; a memory plan goes too, for the tensors get new numbers."""
    found = ends(model)
    if found is None:
        return
    graph = tree.subgraphs[0]
    gone = []
    if found.first is not None:
        gone.append(graph.inputs[0])
        graph.inputs = [graph.operators[found.first].outputs[0]]
    if found.last is not None:
        gone.append(graph.outputs[0])
        graph.outputs = [graph.operators[found.last].inputs[0]]
    graph.operators = [op for place, op in enumerate(graph.operators) if place not in found]
    _sign(tree, graph)
    _renumber(tree, graph, gone)
    drop_plan(tree)


def _first(graph: Graph) -> int | None:
    source = graph.inputs[0]
    readers = [place for place, op in enumerate(graph.operators) if source in op.inputs]
    if len(readers) != 1 or source in graph.outputs:
        return None
    op = graph.operators[readers[0]]
    return (
        readers[0] if op.name == "QUANTIZE" and _plain(graph, op, outside=source, inside=op.outputs) else None
    )


def _last(graph: Graph) -> int | None:
    result = graph.outputs[0]
    touching = [place for place, op in enumerate(graph.operators) if result in (*op.inputs, *op.outputs)]
    if len(touching) != 1:
        return None
    op = graph.operators[touching[0]]
    known = op.name in ("DEQUANTIZE", "QUANTIZE") and result in op.outputs
    return touching[0] if known and _plain(graph, op, outside=result, inside=op.inputs) else None


def _plain(graph: Graph, op: Operator, *, outside: int, inside: tuple[int, ...]) -> bool:
    """Whether it only changes how the same numbers are written: float to int8, or uint8 to int8."""
    if len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    wide, narrow = graph.tensors[outside], graph.tensors[inside[0]]
    if wide.dtype not in _CODES or narrow.dtype != "INT8" or narrow.constant or narrow.channels != 1:
        return False
    return wide.dtype == "FLOAT32" or _shifted(wide, narrow)


def _shifted(wide: Tensor, narrow: Tensor) -> bool:
    return wide.scales == narrow.scales and [zero - _UINT8_SHIFT for zero in wide.zero_points] == [
        narrow.zero_range[0]
    ]


def _sign(tree: Any, graph: Any) -> None:
    """Signatures name the ends by number."""
    for signature in tree.signatureDefs or []:
        for maps, new in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs)):
            for entry in maps or []:
                entry.tensorIndex = new[0]


def _renumber(tree: Any, graph: Any, gone: list[int]) -> None:
    """TFLM gives room to tensors that nothing uses, so those outside are removed."""
    kept = [index for index in range(len(graph.tensors)) if index not in gone]
    number = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in kept]
    graph.inputs = [number[index] for index in graph.inputs]
    graph.outputs = [number[index] for index in graph.outputs]
    for op in graph.operators:
        for field in ("inputs", "outputs", "intermediates"):
            listed = getattr(op, field)
            if listed is not None:
                setattr(op, field, [number[index] for index in listed])
    for signature in tree.signatureDefs or []:
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
            entry.tensorIndex = number[entry.tensorIndex]
