"""Operators that move values and leave them as they are."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.elementwise import requantised
from tests.models.network import Network, Wire


def reshape(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Flat, or split into two axes; the shape is an operand or an option."""
    size = math.prod(x.shape)
    rows = dice.choice([count for count in range(1, size + 1) if size % count == 0])
    return [reshaped(net, dice, x, (1, size) if rows == 1 else (1, rows, size // rows))]


def reshaped(net: Network, dice: Random, x: Wire, shape: tuple[int, ...]) -> Wire:
    options = schema.ReshapeOptionsT()
    options.newShape = list(shape)
    y = net.activation(shape, x.scale, x.zero)
    operand = [net.constant(np.array(shape, np.int32))] if dice.random() < 0.7 else []
    net.operator("RESHAPE", [x, *operand], [y], options)
    return y


def transpose(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Any order of the axes after the first."""
    order = [0, *dice.sample(range(1, len(x.shape)), len(x.shape) - 1)]
    y = net.activation(tuple(x.shape[axis] for axis in order), x.scale, x.zero)
    operand = net.constant(np.array(order, np.int32))
    net.operator("TRANSPOSE", [x, operand], [y], schema.TransposeOptionsT(), version=2)
    return [y]


def pad(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """With real zeros around."""
    around = [(0, 0), *((dice.randint(0, 2), dice.randint(0, 2)) for _ in x.shape[1:])]
    shape = tuple(side + before + after for side, (before, after) in zip(x.shape, around, strict=True))
    y = net.activation(shape, x.scale, x.zero)
    net.operator("PAD", [x, net.constant(np.array(around, np.int32))], [y], schema.PadOptionsT(), version=2)
    return [y]


def strided_slice(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Every first or second value of a part."""
    begin, end, steps = [0], [1], [1]
    for side in x.shape[1:]:
        begin.append(dice.randint(0, side - 1))
        end.append(dice.randint(begin[-1] + 1, side))
        steps.append(dice.randint(1, 2))
    shape = tuple(-(-(last - first) // step) for first, last, step in zip(begin, end, steps, strict=True))
    y = net.activation(shape, x.scale, x.zero)
    operands = [net.constant(np.array(values, np.int32)) for values in (begin, end, steps)]
    net.operator("STRIDED_SLICE", [x, *operands], [y], schema.StridedSliceOptionsT(), version=2)
    return [y]


def resize_nearest_neighbor(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """To sides up to twice as long."""
    height, width = (dice.randint(1, 2 * side) for side in x.shape[1:3])
    return [resized(net, x, height, width)]


def resized(net: Network, x: Wire, height: int, width: int) -> Wire:
    y = net.activation((1, height, width, x.shape[3]), x.scale, x.zero)
    operand = net.constant(np.array([height, width], np.int32))
    options = schema.ResizeNearestNeighborOptionsT()
    net.operator("RESIZE_NEAREST_NEIGHBOR", [x, operand], [y], options, version=2)
    return y


def concatenation(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Along any axis but the first, with tensors that are as long in all others, or with a constant."""
    axis = dice.randint(1, len(x.shape) - 1)
    fitting = [wire for wire in net.wires if _alike(wire.shape, x.shape, axis)]
    others = [dice.choice(fitting) for _ in range(dice.randint(1, 2))]
    parts: list[int | Wire] = [x, *(requantised(net, wire, x.scale, x.zero) for wire in others)]
    shapes = [x.shape, *(wire.shape for wire in others)]
    if dice.random() < 0.2:
        values = np.random.default_rng(dice.randint(0, 2**16)).integers(-127, 128, x.shape, np.int8)
        parts.append(net.constant(values, [x.scale], [x.zero]))
        shapes.append(x.shape)
    dice.shuffle(parts)
    return [concatenated(net, x, parts, axis, sum(shape[axis] for shape in shapes))]


def concatenated(net: Network, x: Wire, parts: list[int | Wire], axis: int, length: int) -> Wire:
    """Parts of the scale and zero point of ``x``, which the int8 kernel asks for."""
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    y = net.activation((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.scale, x.zero)
    net.operator("CONCATENATION", parts, [y], options, version=2)
    return y


def split(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Into equal parts along one axis."""
    ways = [
        (axis, parts)
        for axis, side in enumerate(x.shape)
        for parts in range(1, 5)
        if axis and side % parts == 0 and (parts > 1 or math.prod(x.shape) == 1)
    ]
    axis, parts = dice.choice(ways or [(1, 1)])
    shape = (*x.shape[:axis], x.shape[axis] // parts, *x.shape[axis + 1 :])
    options = schema.SplitOptionsT()
    options.numSplits = parts
    ys = [net.activation(shape, x.scale, x.zero) for _ in range(parts)]
    net.operator("SPLIT", [net.constant(np.array([axis], np.int32)), x], ys, options, version=2)
    return ys


def unpack(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Into a tensor for each place along one axis, which is gone then."""
    axis = min(range(1, len(x.shape)), key=lambda place: (x.shape[place], place))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    options = schema.UnpackOptionsT()
    options.num, options.axis = x.shape[axis], axis
    ys = [net.activation(shape, x.scale, x.zero) for _ in range(options.num)]
    net.operator("UNPACK", [x], ys, options, version=2)
    return ys


def _alike(one: tuple[int, ...], other: tuple[int, ...], axis: int) -> bool:
    return len(one) == len(other) and all(
        a == b for place, (a, b) in enumerate(zip(one, other, strict=True)) if place != axis
    )
