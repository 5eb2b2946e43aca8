"""SVDF: a rank-limited filter over time, whose last inputs' features are kept between inferences."""

from __future__ import annotations

from typing import Final

import numpy as np

from converter.image.fixed_point import multiplier
from converter.image.graph import Array, Node, Tensor
from converter.image.step import Places, Step

KIND: Final = 5
_FLAG_STATE_16: Final = 1
_FEATURE, _TIME, _BIAS, _STATE = 1, 2, 3, 4
_NONE, _RELU = 0, 1
_TOLERANCE: Final = 1e-5
"""Of the bias's scale, by TFLM's PrepareSvdf."""


def svdf(node: Node) -> Step:
    """Input (batch, values), state (batch, filters * memory) of int8 or int16; svdf_common.cc."""
    node.require_int8()
    given, made, state = node.input(0), node.output, node.input(_STATE)
    feature, time, bias = node.constant(_FEATURE), node.constant(_TIME), node.constant(_BIAS)
    rank = int(node.options.rank)
    _check(node, rank, feature, time, bias)
    filters, memory = time.shape
    into = _scale(given, node.input(_FEATURE), state)
    out = _scale(state, node.input(_TIME), made)

    def words(places: Places) -> list[int]:
        return [
            _FLAG_STATE_16 if state.dtype == "INT16" else 0,
            places.tensor(given.index),
            places.tensor(made.index),
            places.tensor(state.index),
            given.shape[0],
            given.shape[1],
            filters,
            memory,
            rank,
            *into,
            *out,
            made.zero,
            places.constant(feature),
            places.constant(_folded(np.zeros(filters, np.int64), feature, given.zero)),
            places.constant(time),
            places.constant(bias),
        ]

    return Step(KIND, node.name, (given.index, state.index), (made.index,), words)


def _check(node: Node, rank: int, feature: Array, time: Array, bias: Array) -> None:
    given, made, state = node.input(0), node.output, node.input(_STATE)
    kinds = (feature.dtype.name, time.dtype.name, bias.dtype.name)
    if kinds not in {("int8", "int16", "int32"), ("int8", "int8", "int32")}:
        raise node.refused(f"has weights and bias of {kinds}")
    if not state.variable:
        raise node.refused("keeps no state")
    if state.dtype != time.dtype.name.upper():
        raise node.refused(f"has a state of {state.dtype} for time weights of {time.dtype}")
    shapes = (given.shape, feature.shape, time.shape, bias.shape, state.shape, made.shape)
    batch, filters, memory = given.shape[0], len(feature), time.shape[-1]
    if rank < 1 or shapes != (
        (batch, feature.shape[-1]),
        (filters, given.shape[-1]),
        (filters, memory),
        (filters // rank,),
        (batch, filters * memory),
        (batch, filters // rank),
    ):
        raise node.refused(f"has shapes {shapes} at rank {rank}")
    if any((*node.input(_FEATURE).zeros, *node.input(_TIME).zeros)):
        raise node.refused("has weights with a zero point")
    if state.zero:
        # Versions of TFLM disagree whether to saturate before or after they add it.
        raise node.refused(f"has a state with zero point {state.zero}")
    off = node.input(_BIAS).scale - _product(state, node.input(_TIME))
    if abs(off) >= _TOLERANCE:
        raise node.refused(f"has a bias scale that is {off:g} off")
    if node.options.fusedActivationFunction not in {_NONE, _RELU}:
        # TFLM leaves the activation to the output's range, which the converter has chosen for RELU.
        raise node.refused(f"has fused activation {node.options.fusedActivationFunction}")


def _product(one: Tensor, other: Tensor) -> float:
    """In float32, as PrepareSvdf multiplies."""
    return float(np.float32(one.scale) * np.float32(other.scale))


def _scale(given: Tensor, weights: Tensor, made: Tensor) -> list[int]:
    found = multiplier(float(np.float32(_product(given, weights)) / np.float32(made.scale)))
    return [found.scale, found.shift]


def _folded(bias: Array, weights: Array, zero: int) -> Array:
    """What the sums begin with: bias less zero point times the weights' sum."""
    folded: Array = (bias - zero * weights.astype(np.int64).sum(axis=1)).astype(np.int32)
    return folded
