"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN over constant axes.

Sources: tensorflow/lite/micro/kernels/reduce_common.cc, tensorflow/lite/kernels/internal/reference/reduce.h.
"""

from __future__ import annotations

import math
from typing import Final

from converter.image.fixed_point import Multiplier, multiplier
from converter.image.graph import Node
from converter.image.operands import axis_of, int8_only, loops, whole_numbers
from converter.image.step import Places, Step
from converter.image.view import view

KIND: Final = 12
_SUM, _MOST, _LEAST = range(3)
_KINDS: Final = {"MEAN": _SUM, "SUM": _SUM, "REDUCE_MAX": _MOST, "REDUCE_MIN": _LEAST}
_AXES: Final = 3
"""Of the firmware's loops over outputs, and over what goes into each."""
_MOST_VALUES: Final = 2**22
"""Of one sum: beyond, TFLM's overflows."""


def reduce(node: Node) -> Step:
    """Any of them; whether reduced axes are kept is in the output's shape."""
    given, made, kind = node.input(0), node.output, _KINDS[node.name]
    int8_only(node, given, made)
    rank = len(given.shape)
    gone = sorted({axis_of(node, axis, rank) for axis in whole_numbers(node, 1)})
    kept = [axis for axis in range(rank) if axis not in gone]
    values = math.prod(given.shape[axis] for axis in gone)
    if not gone or not 0 < values <= _MOST_VALUES or values * made.size != given.size:
        raise node.refused(f"makes {made.shape} of {given.shape} over axes {gone}")
    if kind != _SUM and (given.scale, given.zero) != (made.scale, made.zero):
        raise node.refused("has an output of another scale")
    whole = view(given.shape)
    try:
        rows = [
            row
            for axes in (kept, gone)
            for row in loops(
                [given.shape[axis] for axis in axes], [[whole.strides[axis] for axis in axes]], _AXES
            )
        ]
    except ValueError as error:
        raise node.refused(str(error)) from error
    found = _factor(node, values)

    def words(places: Places) -> list[int]:
        return [
            kind,
            places.tensor(given.index),
            places.tensor(made.index),
            *(word for row in rows for word in row),
            -given.zero * values,
            made.zero,
            found.scale,
            found.shift,
        ]

    return Step(KIND, node.name, (given.index,), (made.index,), words)


def _factor(node: Node, values: int) -> Multiplier:
    """Of sums; for means with as much of the division as fits."""
    found = multiplier(node.input(0).scale / node.output.scale)
    if node.name != "MEAN":
        return found
    more = min(values.bit_length() - 1, 32, 31 + found.shift)
    return Multiplier((found.scale << more) // values, found.shift - more)
