"""The buffers that TFLM plans, as its allocator sees them.

Source: tensorflow/lite/micro/micro_allocation_info.cc. A tensor needs room when it is neither a constant
nor a variable; it lives from the operator that writes it to the last that reads it. Graph inputs live
from the start, graph outputs to the end. One that no operator touches gets room all the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from converter.flatbuffer import Graph, Model
from wire.errors import RefusedError

ALIGNMENT: Final = 16
"""``kBufferAlignment`` of TFLM, bytes."""


class Buffer(NamedTuple):
    """One tensor that needs room in the head of the arena."""

    tensor: int
    size: int
    """Bytes, rounded up to ALIGNMENT."""
    first: int
    """Scope (0: before the first operator, k + 1: operator k, -1: never) in which it is first needed."""
    last: int
    """Scope in which it is last needed."""

    def meets(self, other: Buffer) -> bool:
        """Whether both are needed in the same scope, and so may not share bytes."""
        return self.first <= other.last and other.first <= self.last


def buffers_of(model: Model) -> list[Buffer]:
    """Planned buffers in order of their tensors; RefusedError for several subgraphs (control flow)."""
    if len(model.graphs) != 1:
        raise RefusedError(
            "many_subgraphs",
            f"the model has {len(model.graphs)} subgraphs, which the planner does not follow",
            "leave --plan out",
        )
    if model.external_buffers:
        raise RefusedError(
            "external_buffers", "weights lie outside the flatbuffer, where TFLM reads none", "repair it first"
        )
    graph = model.graphs[0]
    first, last = _lifetimes(graph)
    return [
        Buffer(tensor.index, aligned(tensor.nbytes), first.get(tensor.index, -1), last.get(tensor.index, -1))
        for tensor in graph.tensors
        if tensor.nbytes and not tensor.constant and not tensor.variable
    ]


def aligned(size: int) -> int:
    """``size`` rounded up to ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _lifetimes(graph: Graph) -> tuple[dict[int, int], dict[int, int]]:
    first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    for scope, operator in enumerate(graph.operators, start=1):
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0:
                first.setdefault(index, scope)
                last[index] = scope
    for index in graph.outputs:
        last[index] = len(graph.operators)
    return first, last
