"""What a model keeps from one inference to the next: its variable tensors, at the beginning of the arena."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from converter.image.graph import Array, Graph, Tensor
from converter.image.step import Step

_ALIGNMENT: Final = 4


class State(NamedTuple):
    """Offsets in bytes."""

    offsets: dict[int, int]
    values: Array
    """First values, int8."""

    @property
    def bytes(self) -> int:
        """Of all of it."""
        return len(self.values)


def state_of(graph: Graph, steps: Sequence[Step]) -> State:
    """Of the variables that a step reads."""
    read = dict.fromkeys(index for step in steps for index in step.reads if graph.tensors[index].variable)
    offsets: dict[int, int] = {}
    parts: list[Array] = [np.zeros(0, np.int8)]
    for index in read:
        offsets[index] = sum(map(len, parts))
        parts.append(_first(graph.tensors[index]))
    return State(offsets, np.concatenate(parts))


def _first(tensor: Tensor) -> Array:
    """Every byte is the zero point of an int8 tensor, 0 of others (micro_interpreter_graph.cc)."""
    value = tensor.zero if tensor.dtype == "INT8" else 0
    return np.full(-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT, value, np.int8)
