"""Operators on each value by itself, or on pairs of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.network import Network, Wire

Builder = Callable[[Network, Random, Wire], list[Wire]]


def binary(name: str, options: Callable[[], Any]) -> Builder:
    """ADD, SUB or MUL with another tensor, itself, or a constant of its shape or of one value."""

    def build(net: Network, dice: Random, x: Wire) -> list[Wire]:
        twins = [wire for wire in net.wires if wire.shape == x.shape]
        if dice.random() < 0.3:
            shape = dice.choice((x.shape, (1,) * len(x.shape), (1,) * (len(x.shape) - 1) + x.shape[-1:]))
            values = np.random.default_rng(dice.randint(0, 2**16)).integers(-127, 128, shape, np.int8)
            scale = float(np.float32(x.scale * dice.uniform(0.3, 2)))
            operand: int | Wire = net.constant(values, [scale])
        else:
            operand = dice.choice(twins)
            scale = operand.scale
        wide = x.scale * scale * 100 if name == "MUL" else math.hypot(x.scale, scale)
        y = net.activation(x.shape, wide * dice.uniform(0.8, 1.6), dice.randint(-128, 127))
        net.operator(name, [x, operand], [y], options(), version=2)
        return [y]

    return build


def relu(net: Network, dice: Random, x: Wire) -> list[Wire]:
    y = net.activation(x.shape, x.scale * dice.uniform(0.5, 1), -128)
    net.operator("RELU", [x], [y], version=2)
    return [y]


def relu6(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """In the scale of its input: TFLM's kernel does not rescale, whatever the file says."""
    y = net.activation(x.shape, x.scale, x.zero)
    net.operator("RELU6", [x], [y], version=2)
    return [y]


def leaky_relu(net: Network, dice: Random, x: Wire) -> list[Wire]:
    options = schema.LeakyReluOptionsT()
    options.alpha = dice.choice((0.01, 0.1, 0.3))
    y = net.activation(x.shape, x.scale * dice.uniform(0.6, 1.2), dice.randint(-128, 0))
    net.operator("LEAKY_RELU", [x], [y], options, version=2)
    return [y]


def hard_swish(net: Network, dice: Random, x: Wire) -> list[Wire]:
    y = net.activation(x.shape, x.scale * dice.uniform(0.6, 1.2), dice.randint(-128, -100))
    net.operator("HARD_SWISH", [x], [y], schema.HardSwishOptionsT())
    return [y]


def quantize(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """From one scale to another."""
    return [requantised(net, x, x.scale * dice.uniform(0.5, 2), dice.randint(-128, 127))]


def requantised(net: Network, x: Wire, scale: float, zero: int) -> Wire:
    """The same real values by another scale; ``x`` itself when it has that one."""
    if (np.float32(scale), zero) == (np.float32(x.scale), x.zero):
        return x
    y = net.activation(x.shape, scale, zero)
    net.operator("QUANTIZE", [x], [y], schema.QuantizeOptionsT(), version=2)
    return y


def logistic(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Its output's scale and zero point are fixed by the quantisation specification, as those below."""
    y = net.activation(x.shape, 1 / 256, -128)
    net.operator("LOGISTIC", [x], [y], version=2)
    return [y]


def tanh(net: Network, dice: Random, x: Wire) -> list[Wire]:
    y = net.activation(x.shape, 1 / 128, 0)
    net.operator("TANH", [x], [y], version=2)
    return [y]


def softmax(net: Network, dice: Random, x: Wire) -> list[Wire]:
    """Along the last axis."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    y = net.activation(x.shape, 1 / 256, -128)
    net.operator("SOFTMAX", [x], [y], options, version=2)
    return [y]
