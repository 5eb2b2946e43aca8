"""CONV_2D, and FULLY_CONNECTED as a convolution of single pixels."""

from __future__ import annotations

import numpy as np

from converter.image.channels import FLAG_PATCH, Channels, channels
from converter.image.graph import Array, Node
from converter.image.spatial import Windows, windows
from converter.image.step import Places, Step

KIND = 1
_BLOCK = 4
_SCRATCH_OF_BLOCK = 24
"""Bytes: two pixels gathered, and the same unpacked to 16 bits."""


def conv(node: Node) -> Step:
    """CONV_2D; weights (outputs, height, width, inputs)."""
    weights = node.constant(1)
    where = windows(node, weights.shape[1:3])
    if weights.dtype != np.int8 or weights.ndim != 4 or len(weights) != where.out_c:
        raise node.refused(f"has weights of {weights.dtype}, {weights.shape}")
    if where.in_c % weights.shape[3] or where.out_c % (where.in_c // weights.shape[3]):
        raise node.refused(
            f"has {where.in_c} inputs and {where.out_c} outputs in groups of {weights.shape[3]}"
        )
    return step(node, where, _ungrouped(weights, where.in_c).reshape(len(weights), -1))


def _ungrouped(weights: Array, inputs: int) -> Array:
    """A group of channels sees its own inputs only: all others get weights of zero."""
    outputs, height, width, depth = weights.shape
    groups = inputs // depth
    if groups == 1:
        return weights
    whole = np.zeros((groups, outputs // groups, height, width, groups, depth), weights.dtype)
    for group, own in enumerate(weights.reshape(groups, -1, height, width, depth)):
        whole[group, :, :, :, group] = own
    return whole.reshape(outputs, height, width, inputs)


def dense(node: Node) -> Step:
    """FULLY_CONNECTED; weights (outputs, inputs)."""
    node.require_int8()
    weights = node.constant(1)
    if weights.dtype != np.int8 or weights.ndim != 2 or node.input(0).size % max(1, weights.shape[1]):
        raise node.refused(f"has weights of {weights.dtype}, {weights.shape}")
    outputs, inputs = weights.shape
    rows = node.input(0).size // inputs
    where = Windows(1, rows, inputs, 1, rows, outputs, 1, 1, 1, 1, 1, 1, 0, 0)
    return step(node, where, weights)


def step(node: Node, where: Windows, weights: Array) -> Step:
    """``weights`` (outputs, values of a window)."""
    found = channels(node, weights, 2)
    blocks = -(-weights.shape[1] // _BLOCK)
    # Short rows would be read beyond their end, and outputs over inputs need the inputs put aside.
    may_share = where.pointwise and where.out_c <= where.in_c and where.in_h * where.in_w > 1
    patch = not where.pointwise or where.in_c % _BLOCK > 0 or may_share

    def words(places: Places) -> list[int]:
        return [
            found.flags | (FLAG_PATCH if patch else 0),
            places.tensor(node.input(0).index),
            places.tensor(node.output.index),
            places.scratch,
            *where[:14],
            *ends(found),
            blocks,
            places.constant(_interleaved(weights, blocks)),
            places.constant(found.table),
            where.apart_h,
            where.apart_w,
        ]

    return Step(
        kind=KIND,
        name=node.name,
        reads=(node.input(0).index,),
        writes=(node.output.index,),
        words=words,
        scratch_bytes=_SCRATCH_OF_BLOCK * blocks,
        over=(node.input(0).index,) if may_share else (),
    )


def ends(found: Channels) -> list[int]:
    """Zero points and activation range, as records have them."""
    return [found.in_zero, found.out_zero, found.low, found.high]


def _interleaved(weights: Array, blocks: int) -> Array:
    """(pairs of outputs, blocks, 2, 4) int8: a word of the one output, then of the other, and so on."""
    outputs, values = weights.shape
    filled = np.zeros((outputs + outputs % 2, blocks * _BLOCK), np.int8)
    filled[:outputs, :values] = weights
    pairs = filled.reshape(-1, 2, blocks, _BLOCK)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1, 3))
