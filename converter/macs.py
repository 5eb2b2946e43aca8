"""Multiply-accumulates (MACs) of a model, exact, by the shapes of its tensors.

One MAC is one product added to a sum; products with padding are counted, as is usual. The published
counts of MLPerf Tiny models (Arm's Vela) also count each value that average pooling adds and what its
tables for softmax do; so Vela's totals are a little higher than ours: 2,664,792 against 2,656,768 for
keyword spotting, of which pooling is 8,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from converter.flatbuffer import Graph, Model, Operator

Shape = tuple[int, ...]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one inference computes."""

    conv: int = 0
    """MACs of convolutions, transposed ones among them."""
    depthwise: int = 0
    """MACs of depthwise convolutions."""
    dense: int = 0
    """MACs of matrix products: fully connected layers, SVDF, LSTM, BATCH_MATMUL."""
    outputs: int = 0
    """Values that the layers counted above give; each is scaled back to int8."""
    elements: int = 0
    """Values that all other operators give, or for pooling and means, take."""

    @property
    def macs(self) -> int:
        """All of them."""
        return self.conv + self.depthwise + self.dense

    def __add__(self, other: Work) -> Work:
        """The work of both."""
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


def count(model: Model) -> Work:
    """Work of the graph that is called; the bodies of WHILE, IF and CALL_ONCE are not counted."""
    main = model.graphs[0]
    return sum((count_operator(main, op) for op in main.operators), Work())


def count_operator(graph: Graph, op: Operator) -> Work:
    """Work of one operator; an operand left out has no values."""
    taken = [graph.tensors[index].shape if index >= 0 else (0,) for index in op.inputs]
    given = [graph.tensors[index].shape for index in op.outputs]
    if op.name in _COUNTED and given and len(taken) >= 2:
        field, macs = _COUNTED[op.name]
        return Work(**{field: macs(taken, given[0]), "outputs": math.prod(given[0])})
    if op.name in _FREE:
        return Work()
    values = taken[:1] if op.name in _REDUCING else given
    return Work(elements=sum(math.prod(shape) for shape in values))


def _conv(taken: list[Shape], given: Shape) -> int:
    """Weights are (outputs, height, width, inputs); inputs are those of one group."""
    return math.prod(given) * math.prod(taken[1][1:])


def _depthwise(taken: list[Shape], given: Shape) -> int:
    """Weights are (1, height, width, outputs)."""
    return math.prod(given) * math.prod(taken[1][1:3])


def _dense(taken: list[Shape], given: Shape) -> int:
    """Weights are (outputs, inputs)."""
    return math.prod(given) * (taken[1][-1] if taken[1] else 0)


def _transposed(taken: list[Shape], _given: Shape) -> int:
    """Each input value goes into a patch of the output; operands are output shape, weights, input."""
    return math.prod(taken[2]) * math.prod(taken[1][:3]) if len(taken) > 2 else 0


def _product(taken: list[Shape], given: Shape) -> int:
    """(.., m, k) x (.., k, n); k from the size of the first, for it may be given transposed."""
    first = taken[0]
    inner = first[-1] * first[-2] // given[-2] if len(first) > 1 and len(given) > 1 and given[-2] else 0
    return math.prod(given) * inner


def _svdf(taken: list[Shape], given: Shape) -> int:
    """Features (filters, inputs), then time (filters, memory), once each."""
    return math.prod(given[:1]) * (math.prod(taken[1]) + (math.prod(taken[2]) if len(taken) > 2 else 0))


def _lstm(taken: list[Shape], given: Shape) -> int:
    """Four gates of input weights, four of recurrent weights, in every step of every sequence."""
    steps = math.prod(given[:-1])
    return steps * sum(math.prod(weights) for weights in taken[1:9])


_COUNTED: Final[dict[str, tuple[str, Callable[[list[Shape], Shape], int]]]] = {
    "CONV_2D": ("conv", _conv),
    "TRANSPOSE_CONV": ("conv", _transposed),
    "DEPTHWISE_CONV_2D": ("depthwise", _depthwise),
    "FULLY_CONNECTED": ("dense", _dense),
    "BATCH_MATMUL": ("dense", _product),
    "SVDF": ("dense", _svdf),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("dense", _lstm),
}
_REDUCING: Final = {"AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}
_FREE: Final = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SHAPE"}
"""They change no values."""
