"""ADD, SUB, MUL, MAXIMUM, MINIMUM: two tensors to one, with broadcasting.

Sources: tensorflow/lite/micro/kernels/{add,sub,mul}_common.cc, maximum_minimum.cc.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from converter.image.channels import activation
from converter.image.fixed_point import Multiplier, divide_by_power, multiplier, multiply_high
from converter.image.graph import Array, Node, Tensor
from converter.image.operands import broadcast_loops, int8_only, place
from converter.image.step import Places, Step

KIND: Final = 8
_SUM, _PRODUCT, _WIDE_PRODUCT, _MOST, _LEAST = range(5)
_AXES: Final = 4
"""Of the firmware's loops."""
_LEFT_SHIFT: Final = 20
"""Of inputs before they are scaled, so that the sum keeps fractions."""

_NOTHING: Final = Multiplier(0, -1)
"""Of an output whose scale is so far above its operands' that all sums are zero."""


class _Terms(NamedTuple):
    """How a sum is made of its operands: ``gain`` times the one, and the other looked up."""

    swapped: bool
    """The second operand is the one that is multiplied."""
    gain: int
    table: Array
    """(256,) int32, with all that depends on zero points."""
    output: Multiplier


def sum_of(node: Node) -> Step:
    """ADD and SUB.

    TFLM brings both operands to twice the larger scale. That only halves the operand with that scale, a
    multiplication by a power of two; the other's 256 possible results are tabulated. Everything is
    doubled once more, so that the firmware's product needs only its high word.
    """
    first, second = _pair(node)
    terms = (_sub if node.name == "SUB" else _add)(first, second, node.output.scale)
    output = terms.output if terms.output.scale else _NOTHING
    if output.shift > -1:
        raise node.refused("has an output scale far below its operands'")
    pair = (second, first) if terms.swapped else (first, second)
    return _step(node, pair, _SUM, terms.gain, output, terms.table)


def product(node: Node) -> Step:
    """MUL."""
    first, second = _pair(node)
    found = multiplier(first.scale * second.scale / node.output.scale)
    kind = _PRODUCT if found.shift < 0 else _WIDE_PRODUCT
    return _step(node, (first, second), kind, 0, found)


def extreme(node: Node) -> Step:
    """MAXIMUM and MINIMUM; compares stored values, as TFLM does whatever the scales."""
    kind = _MOST if node.name == "MAXIMUM" else _LEAST
    return _step(node, _pair(node), kind, 0, _NOTHING)


def _pair(node: Node) -> tuple[Tensor, Tensor]:
    pair = node.input(0), node.input(1)
    int8_only(node, *pair, node.output)
    return pair


def _add(first: Tensor, second: Tensor, scale: float) -> _Terms:
    swapped = second.scale > first.scale
    major, minor = (second, first) if swapped else (first, second)
    twice = 2 * major.scale
    table = _offset(_scaled(minor, multiplier(minor.scale / twice)), major, 1)
    return _Terms(swapped, 1 << _LEFT_SHIFT, table, multiplier(twice / (scale * (1 << _LEFT_SHIFT))))


def _sub(first: Tensor, second: Tensor, scale: float) -> _Terms:
    """As ADD, with the second operand's sign turned.

    The installed tflite-micro computes in double precision, though older sources say float32: where the two
    differ by one unit, every pair of values that was tried agrees with double.
    """
    swapped = second.scale > first.scale
    major, minor = (second, first) if swapped else (first, second)
    sign = -1 if swapped else 1
    twice = 2 * major.scale
    table = _offset(-sign * _scaled(minor, multiplier(minor.scale / twice)), major, sign)
    return _Terms(swapped, sign << _LEFT_SHIFT, table, multiplier(twice / (scale * (1 << _LEFT_SHIFT))))


def _scaled(minor: Tensor, share: Multiplier) -> Array:
    """Every value by its share of the common scale."""
    return np.array(
        [
            divide_by_power(multiply_high((value - minor.zero) << _LEFT_SHIFT, share.scale), -share.shift)
            for value in range(-128, 128)
        ]
    )


def _offset(scaled: Array, major: Tensor, sign: int) -> Array:
    half = sign * (1 << (_LEFT_SHIFT - 1))
    return (2 * (scaled - major.zero * half)).astype(np.int32)


def _step(
    node: Node,
    pair: tuple[Tensor, Tensor],
    kind: int,
    gain: int,
    output: Multiplier,
    table: Array | None = None,
) -> Step:
    made = node.output
    low, high = activation(node) if kind < _MOST else (-128, 127)
    rows = broadcast_loops(node, made.shape, pair, _AXES)

    def words(places: Places) -> list[int]:
        return [
            kind,
            *(place(places, operand) for operand in pair),
            places.tensor(made.index),
            *(word for row in rows for word in row),
            *(operand.zero for operand in pair),
            made.zero,
            low,
            high,
            gain,
            output.scale,
            output.shift,
            0 if table is None else places.constant(table),
        ]

    computed = [operand for operand in pair if operand.values is None]
    return Step(
        kind=KIND,
        name=node.name,
        reads=tuple(operand.index for operand in computed),
        writes=(made.index,),
        words=words,
        over=tuple(operand.index for operand in computed if operand.size == made.size),
    )
