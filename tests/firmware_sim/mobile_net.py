"""A small net of the usual kind: inverted residuals, attention to channels, branches that join again."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models import elementwise, layers
from tests.models.network import Network, Wire

_RELU6 = schema.ActivationFunctionType.RELU6
_NONE = schema.ActivationFunctionType.NONE
_SIDE = 12


def mobile_net(dice: Random) -> bytes:
    """Random weights, so scaled that most activations are neither 0 nor saturated."""
    net = Network()
    x = net.input((1, _SIDE, _SIDE, 3), 1 / 128, -1)
    x = _conv(net, dice, x, 8, kernel=3, stride=2, fused=_RELU6)
    x = _residual(net, dice, x)
    x = _residual(net, dice, x)
    x = _joined(net, x, _upscaled_and_cut(net, x))
    x = elementwise.hard_swish(net, dice, x)[0]
    x = _mean(net, x, keep=False)
    x = layers.fully_connected(net, dice, x)[0]
    return net.finish(elementwise.softmax(net, dice, x)[0])


def _residual(net: Network, dice: Random, x: Wire) -> Wire:
    """Expand, filter, weigh the channels, project, add."""
    wide = _conv(net, dice, x, 2 * x.shape[3], fused=_RELU6)
    wide = _conv(net, dice, wide, wide.shape[3], kernel=3, fused=_RELU6, name="DEPTHWISE_CONV_2D")
    small = _conv(net, dice, _mean(net, wide, keep=True), 3, fused=schema.ActivationFunctionType.RELU)
    gate = elementwise.logistic(net, dice, _conv(net, dice, small, wide.shape[3]))[0]
    weighed = net.activation(wide.shape, wide.scale, wide.zero)
    net.operator("MUL", [wide, gate], [weighed], schema.MulOptionsT(), version=2)
    narrow = _conv(net, dice, weighed, x.shape[3])
    made = net.activation(x.shape, math.hypot(x.scale, narrow.scale), dice.randint(-20, 20))
    net.operator("ADD", [x, narrow], [made], schema.AddOptionsT(), version=2)
    return made


def _conv(
    net: Network,
    dice: Random,
    x: Wire,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    fused: int = _NONE,
    name: str = "CONV_2D",
) -> Wire:
    deep = name == "DEPTHWISE_CONV_2D"
    shape = (1, kernel, kernel, channels) if deep else (channels, kernel, kernel, x.shape[3])
    weights = np.random.default_rng(dice.randint(0, 2**16)).integers(-127, 128, shape, np.int8)
    operands, scale = layers._operands(net, dice, x, weights, channels, axis=3 if deep else 0)
    options: Any = schema.DepthwiseConv2DOptionsT() if deep else schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.SAME, fused
    options.strideH = options.strideW = stride
    options.dilationHFactor = options.dilationWFactor = 1
    if deep:
        options.depthMultiplier = 1
    sides = [-(-side // stride) for side in x.shape[1:3]]
    made = net.activation((1, *sides, channels), scale, -128 if fused else dice.randint(-20, 20))
    net.operator(name, operands, [made], options, version=3)
    return made


def _mean(net: Network, x: Wire, *, keep: bool) -> Wire:
    options = schema.ReducerOptionsT()
    options.keepDims = keep
    made = net.activation((1, 1, 1, x.shape[3]) if keep else (1, x.shape[3]), x.scale / 2, x.zero)
    net.operator("MEAN", [x, net.constant(np.array([1, 2], np.int32))], [made], options, version=2)
    return made


def _upscaled_and_cut(net: Network, x: Wire) -> Wire:
    """Twice as large, of which every second pixel from the second on."""
    sides = [2 * side for side in x.shape[1:3]]
    large = net.activation((1, *sides, x.shape[3]), x.scale, x.zero)
    options = schema.ResizeNearestNeighborOptionsT()
    size = net.constant(np.array(sides, np.int32))
    net.operator("RESIZE_NEAREST_NEIGHBOR", [x, size], [large], options, version=2)
    bounds = ([0, 1, 1, 0], list(large.shape), [1, 2, 2, 1])
    made = net.activation(x.shape, x.scale, x.zero)
    operands = [net.constant(np.array(values, np.int32)) for values in bounds]
    net.operator("STRIDED_SLICE", [large, *operands], [made], schema.StridedSliceOptionsT(), version=2)
    return made


def _joined(net: Network, *parts: Wire) -> Wire:
    first = parts[0]
    options = schema.ConcatenationOptionsT()
    options.axis = 3
    made = net.activation((*first.shape[:3], first.shape[3] * len(parts)), first.scale, first.zero)
    net.operator("CONCATENATION", list(parts), [made], options, version=2)
    return made
