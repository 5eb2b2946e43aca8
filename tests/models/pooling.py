"""Operators that make fewer values of more."""

from __future__ import annotations

from random import Random

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.network import Network, Wire


def average_pool_2d(net: Network, dice: Random, x: Wire) -> list[Wire]:
    return _pool(net, dice, x, "AVERAGE_POOL_2D")


def max_pool_2d(net: Network, dice: Random, x: Wire) -> list[Wire]:
    return _pool(net, dice, x, "MAX_POOL_2D")


def mean(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Over the sides of an image or any other axes but the first."""
    every = range(1, len(x.shape))
    axes = (1, 2) if len(x.shape) == 4 and dice.random() < 0.5 else sorted(dice.sample(every, 1))
    kept = dice.random() < 0.5 or len(x.shape) - len(axes) < 2
    shape = [1 if axis in axes else side for axis, side in enumerate(x.shape)]
    if not kept:
        shape = [side for axis, side in enumerate(x.shape) if axis not in axes]
    options = schema.ReducerOptionsT()
    options.keepDims = kept
    requantised = dice.random() < 0.5
    scale, zero = (x.scale * dice.uniform(0.5, 1.1), dice.randint(-128, 127)) if requantised else x[2:]
    y = net.activation(tuple(shape), scale, zero)
    net.operator("MEAN", [x, net.constant(np.array(axes, np.int32))], [y], options, version=2)
    return [y]


def _pool(net: Network, dice: Random, x: Wire, name: str) -> list[Wire]:
    options = schema.Pool2DOptionsT()
    height, width = (dice.randint(1, min(3, side)) for side in x.shape[1:3])
    options.filterHeight, options.filterWidth = height, width
    options.strideH, options.strideW = dice.randint(1, 2), dice.randint(1, 2)
    options.padding = dice.choice((schema.Padding.SAME, schema.Padding.VALID))
    reach = (1, 1) if options.padding == schema.Padding.SAME else (height, width)
    steps = (options.strideH, options.strideW)
    sides = [-(-(side - far + 1) // step) for side, far, step in zip(x.shape[1:3], reach, steps, strict=True)]
    y = net.activation((1, *sides, x.shape[3]), x.scale, x.zero)
    net.operator(name, [x], [y], options, version=2)
    return [y]
