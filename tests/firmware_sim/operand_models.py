"""Models with several operands of any shape and scale: parts of one input, or constants."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import hypothesis.strategies as st
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.network import Network, Type, Wire

Shape = tuple[int, ...]
ACTIVATIONS = (0, 0, 1, 2, 3)
"""NONE, RELU, RELU_N1_TO_1, RELU6 (schema)."""


def seeded() -> st.SearchStrategy[Random]:
    """Dice that fall evenly: what Hypothesis draws itself keeps to simple models."""
    return st.randoms(use_true_random=True)


class Made:
    """A network whose operands come from one flat input, cut up where it has several."""

    def __init__(self, shapes: list[Shape], scales: list[float], zeros: list[int]) -> None:
        self.net = Network()
        sizes = [math.prod(shape) for shape in shapes]
        whole = self.net.input((sum(sizes),), 0.1, 0)
        self.operands = []
        at = 0
        for shape, size, scale, zero in zip(shapes, sizes, scales, zeros, strict=True):
            flat = self.wire((size,), scale, zero)
            bounds = [self.net.constant(np.array([value], np.int32)) for value in (at, size)]
            self.net.operator("SLICE", [whole, *bounds], [flat], schema.SliceOptionsT(), version=2)
            shaped = self.wire(shape, scale, zero)
            sides = self.net.constant(np.array(shape, np.int32))
            self.net.operator("RESHAPE", [flat, sides], [shaped], schema.ReshapeOptionsT())
            self.operands.append(shaped)
            at += size

    def wire(self, shape: Shape, scale: float, zero: int) -> Wire:
        """A tensor of any scale; ``Network.activation`` keeps to the usual ones."""
        scale = float(np.float32(scale))
        return Wire(self.net.tensor(shape, Type.INT8, [scale], [zero]), shape, scale, zero)

    def model(self, name: str, inputs: list[Any], made: Wire, options: Any, version: int = 2) -> bytes:
        """With one more operator, whose output is the model's."""
        self.net.operator(name, inputs, [made], options, version=version)
        return self.net.finish(made)


def shape_of(dice: Random, ranks: tuple[int, int] = (1, 4), longest: int = 6) -> Shape:
    """Any short shape."""
    return tuple(dice.randint(1, longest) for _ in range(dice.randint(*ranks)))


def repeated(dice: Random, shape: Shape) -> Shape:
    """A shape that broadcasts to ``shape``, which it is in half of all cases."""
    if dice.random() < 0.5:
        return shape
    kept = [length if dice.random() < 0.5 else 1 for length in shape]
    return tuple(kept[dice.randint(0, len(kept) - 1) :])


def zero_of(dice: Random) -> int:
    """A zero point, often an extreme one."""
    return dice.choice((-128, 127, 0, dice.randint(-128, 127), dice.randint(-128, 127)))


def scale_of(dice: Random, least: float = -4, most: float = 1) -> float:
    """Over some decades; powers of two, in a third of all cases, give results half-way between two values."""
    if dice.random() < 1 / 3:
        return 2.0 ** dice.randint(math.ceil(least * math.log2(10)), math.floor(most * math.log2(10)))
    return float(np.float32(10 ** dice.uniform(least, most)))
