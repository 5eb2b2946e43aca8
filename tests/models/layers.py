"""Layers with weights: convolutions, matrix products, and SVDF with its state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.network import Network, Type, Wire

_PADDINGS = (schema.Padding.SAME, schema.Padding.VALID)
_FUSED = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
)
_SPREAD = 74.0
"""Standard deviation of what is drawn evenly from the int8 range."""


def conv_2d(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """A convolution: any padding, stride, dilation, and one scale for each channel or for all."""
    channels = dice.randint(1, 8)
    window = _Window(dice, x)
    weights = _weights(dice, (channels, *window.kernel, x.shape[3]))
    options = schema.Conv2DOptionsT()
    window.describe(options)
    operands, scale = _operands(net, dice, x, weights, channels, axis=0)
    y = net.activation((1, *window.sides, channels), scale, dice.randint(-128, 127))
    net.operator("CONV_2D", operands, [y], options, version=3)
    return [y]


def depthwise_conv_2d(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """A convolution of each channel by itself, into one or two."""
    multiplier = dice.choice((1, 1, 2))
    channels = x.shape[3] * multiplier
    window = _Window(dice, x)
    weights = _weights(dice, (1, *window.kernel, channels))
    options = schema.DepthwiseConv2DOptionsT()
    window.describe(options)
    options.depthMultiplier = multiplier
    operands, scale = _operands(net, dice, x, weights, channels, axis=3)
    y = net.activation((1, *window.sides, channels), scale, dice.randint(-128, 127))
    net.operator("DEPTHWISE_CONV_2D", operands, [y], options, version=3)
    return [y]


def fully_connected(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """A matrix product of all values of a tensor, by one scale or one for each output; bias or none."""
    units = dice.randint(1, 12)
    weights = _weights(dice, (units, math.prod(x.shape)))
    operands, scale = _operands(net, dice, x, weights, units, axis=0)
    if dice.random() < 0.2:
        operands[2] = -1
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = dice.choice(_FUSED)
    y = net.activation((1, units), scale, dice.randint(-128, 127))
    net.operator("FULLY_CONNECTED", operands, [y], options, version=4)
    return [y]


def svdf(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """A layer that remembers its last few inputs (int16 state); LiteRT asks for a ReLU in it."""
    rank, units, memory = dice.randint(1, 2), dice.randint(1, 4), dice.randint(2, 5)
    filters = rank * units
    feature = _weights(dice, (filters, x.shape[1]))
    time = _generator(dice).integers(-2000, 2001, (filters, memory), np.int16)
    feature_scale, time_scale = 0.01, 1 / 4096
    state_scale = x.scale * feature_scale * math.sqrt(x.shape[1]) * _SPREAD**2 / 8000
    scale = state_scale * time_scale * math.sqrt(memory * rank) * 8000 * 1150 / 50
    bias = _generator(dice).integers(-2000, 2001, (units,), np.int32)
    options = schema.SVDFOptionsT()
    options.rank, options.fusedActivationFunction = rank, schema.ActivationFunctionType.RELU
    operands = [
        x,
        net.constant(feature, [feature_scale]),
        net.constant(time, [time_scale]),
        net.constant(bias, [float(np.float32(state_scale) * np.float32(time_scale))]),
        net.variable((1, memory * filters), Type.INT16, state_scale),
    ]
    y = net.activation((1, units), scale, dice.randint(-128, 127))
    net.operator("SVDF", operands, [y], options, version=3)
    return [y]


class _Window:
    """Kernel, stride, dilation and padding, and the sides of what comes out."""

    def __init__(self, dice: Random, x: Wire) -> None:
        self.kernel = tuple(dice.randint(1, min(3, side)) for side in x.shape[1:3])
        self.stride = dice.choice(((1, 1), (1, 1), (2, 2), (1, 2)))
        roomy = all(2 * size - 1 <= side for size, side in zip(self.kernel, x.shape[1:3], strict=True))
        self.dilation = 2 if self.stride == (1, 1) and roomy and dice.random() < 0.2 else 1
        self.padding = dice.choice(_PADDINGS)
        self.fused = dice.choice(_FUSED)
        reach = (
            (1, 1)
            if self.padding == schema.Padding.SAME
            else tuple((size - 1) * self.dilation + 1 for size in self.kernel)
        )
        self.sides = tuple(
            -(-(side - far + 1) // step)
            for side, far, step in zip(x.shape[1:3], reach, self.stride, strict=True)
        )

    def describe(self, options: schema.Conv2DOptionsT | schema.DepthwiseConv2DOptionsT) -> None:
        options.padding, options.fusedActivationFunction = self.padding, self.fused
        options.strideH, options.strideW = self.stride
        options.dilationHFactor = options.dilationWFactor = self.dilation


def _operands(
    net: Network, dice: Random, x: Wire, weights: np.ndarray, channels: int, axis: int
) -> tuple[list[int | Wire], float]:
    """Input, weights and bias, and a scale with which most outputs are neither 0 nor saturated."""
    terms = weights.size // channels
    wide = _SPREAD**2 * math.sqrt(terms)
    base = float(np.float32(10 ** dice.uniform(-2.7, -1.5)))
    per_channel = channels > 1 and dice.random() < 0.5
    scales = (
        [float(np.float32(base * dice.uniform(0.3, 1.7))) for _ in range(channels)] if per_channel else [base]
    )
    bias = _generator(dice).integers(-int(wide) // 2, int(wide) // 2 + 1, (channels,), np.int32)
    operands = [
        x,
        net.constant(weights, scales, axis=axis),
        net.constant(bias, [float(np.float32(x.scale) * np.float32(scale)) for scale in scales]),
    ]
    return operands, x.scale * base * wide / dice.uniform(20, 60)


def _weights(dice: Random, shape: Sequence[int]) -> np.ndarray:
    return _generator(dice).integers(-127, 128, tuple(shape), np.int8)


def _generator(dice: Random) -> np.random.Generator:
    return np.random.default_rng(dice.randint(0, 2**16))
