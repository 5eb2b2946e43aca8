"""SOFTMAX."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from converter.image.fixed_point import exp_of_negative, multiplier, multiply_high
from converter.image.graph import Array, Node
from converter.image.step import Places, Step

KIND: Final = 4
_INTEGER_BITS: Final = 5
"""Of the argument of exp (kScaledDiffIntegerBits)."""
_OUTPUT: Final = (1 / 256, -128)


def softmax(node: Node) -> Step:
    """Over the last axis."""
    given, made = node.input(0), node.output
    if (made.scale, made.zero) != _OUTPUT:
        raise node.refused(f"has an output scale of {made.scale:g} and zero point {made.zero}")
    node.require_int8()
    depth = given.shape[-1]
    stretch = float(node.options.beta) * given.scale * 2 ** (31 - _INTEGER_BITS)
    if not stretch > 1:
        # TFLM aborts there (QuantizeMultiplierGreaterThanOne).
        raise node.refused(f"has a beta of {node.options.beta:g} for an input scale of {given.scale:g}")
    table = _exponentials(stretch)

    def words(places: Places) -> list[int]:
        return [
            places.tensor(given.index),
            places.tensor(made.index),
            given.size // depth,
            depth,
            places.constant(table),
        ]

    return Step(KIND, node.name, (given.index,), (made.index,), words, over=(given.index,))


def _exponentials(stretch: float) -> Array:
    """Exp of each distance from the maximum, Q31; 0 where TFLM leaves it out (PreprocessSoftmaxScaling)."""
    found = multiplier(min(stretch, 2.0**31 - 1))
    radius = math.floor((2**_INTEGER_BITS - 1) * 2 ** (31 - _INTEGER_BITS) / 2**found.shift)
    values = [
        exp_of_negative(multiply_high(-distance * 2**found.shift, found.scale)) if distance <= radius else 0
        for distance in range(256)
    ]
    return np.array(values, np.int64).astype(np.int32)
