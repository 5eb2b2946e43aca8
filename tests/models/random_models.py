"""Random small int8 models that TFLM and LiteRT run: one operator, or a graph of many.

All choices come from a ``random.Random``. The strategies give Hypothesis' own, whose choices it shrinks;
``random.Random(seed)`` repeats one model.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from random import Random

import hypothesis.strategies as st

from tests.models.catalogue import EVERY, OPERATORS
from tests.models.elementwise import requantised
from tests.models.movement import concatenated, reshaped
from tests.models.network import Network, Wire

_MOST_JOINED = 10
"""``kMaxInputNum`` of TFLM's CONCATENATION."""
_MAX_VALUES = 600
"""Of an activation: larger ones are only made smaller, so that a run takes next to no time."""


def single_op(name: str) -> st.SearchStrategy[bytes]:
    """Models whose only operator is ``name`` (CONCATENATION may have a QUANTIZE before it)."""
    return st.randoms(use_true_random=False).map(lambda dice: one_operator(name, dice))


def graphs(most: int = 12, operators: AbstractSet[str] = EVERY, least: int = 1) -> st.SearchStrategy[bytes]:
    """Models of so many operators, with branches, joins, and outputs that nothing reads."""
    return st.builds(
        lambda dice, count: network(dice, count, operators),
        st.randoms(use_true_random=False),
        st.integers(least, most),
    )


def one_operator(name: str, dice: Random) -> bytes:
    """One operator on an input; of several outputs, one is the model's and nothing reads the others."""
    net = Network()
    x = _input(net, dice, dice.choice(OPERATORS[name].ranks))
    return net.finish(dice.choice(OPERATORS[name].build(net, dice, x)))


def network(dice: Random, count: int, operators: AbstractSet[str] = EVERY) -> bytes:
    """``count`` operators, besides what joins their ends."""
    net = Network()
    grow(net, dice, count, operators)
    return net.finish(_output(net, dice))


def grow(net: Network, dice: Random, count: int, operators: AbstractSet[str] = EVERY) -> None:
    """An input and ``count`` operators after it."""
    _input(net, dice, dice.choice((2, 3, 4, 4, 4, 4)))
    for _ in range(count):
        recent = net.wires[-3:] if dice.random() < 0.6 else net.wires
        x = dice.choice(recent)
        large = math.prod(x.shape) > _MAX_VALUES
        names = [
            name
            for name, entry in OPERATORS.items()
            if name in operators and len(x.shape) in entry.ranks and not (large and name in _GROWING)
        ]
        if names:
            OPERATORS[dice.choice(names)].build(net, dice, x)


_GROWING = frozenset({"PAD", "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D"})


def _input(net: Network, dice: Random, rank: int) -> Wire:
    if rank == 4:
        shape = 1, dice.randint(1, 8), dice.randint(1, 8), dice.randint(1, 6)
    else:
        shape = (1, *(dice.randint(1, 16) for _ in range(rank - 1)))
    return net.input(shape, 10 ** dice.uniform(-2, -0.5), dice.randint(-128, 127))


def _output(net: Network, dice: Random) -> Wire:
    """The last tensor, or all that nothing reads, joined."""
    ends = net.loose_ends[-_MOST_JOINED:]
    if len(ends) == 1 or dice.random() < 0.3:
        return net.wires[-1]
    first = ends[-1]
    parts = [
        reshaped(net, dice, requantised(net, wire, first.scale, first.zero), (1, math.prod(wire.shape)))
        for wire in ends
    ]
    return concatenated(net, parts[-1], list(parts), 1, sum(wire.shape[1] for wire in parts))
