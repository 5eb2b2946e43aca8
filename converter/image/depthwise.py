"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

from typing import Final

import numpy as np

from converter.image import conv
from converter.image.channels import channels
from converter.image.graph import Array, Node
from converter.image.spatial import Windows, windows
from converter.image.step import Places, Step

KIND: Final = 2
_LANES: Final = 4
_MOST_ROWS: Final = 32
"""``MOST_ROWS`` of firmware/depthwise.c."""


def depthwise(node: Node) -> Step:
    """Weights (1, height, width, outputs)."""
    weights = node.constant(1)
    where = windows(node, weights.shape[1:3])
    if weights.dtype != np.int8 or weights.ndim != 4 or weights.shape[3] != where.out_c:
        raise node.refused(f"has weights of {weights.dtype}, {weights.shape}")
    if where.out_c % where.in_c:
        raise node.refused(f"has {where.out_c} outputs of {where.in_c} inputs")
    if node.options.depthMultiplier != where.out_c // where.in_c:
        # TFLM goes by it, not by the shapes.
        raise node.refused(f"has {where.out_c} outputs, but a multiplier of {node.options.depthMultiplier}")
    if where.kernel_h > _MOST_ROWS:
        raise node.refused(f"is {where.kernel_h} rows high")
    if where.in_c == 1:
        return conv.step(node, where, weights.reshape(-1, where.out_c).T)
    return _step(node, where, weights[0])


def _step(node: Node, where: Windows, weights: Array) -> Step:
    depth = where.out_c
    found = channels(node, weights.reshape(-1, depth).T, 2)
    row = _row_bytes(where)
    span = (where.kernel_h - 1) * where.dilation_h + 1

    def words(places: Places) -> list[int]:
        return [
            found.flags,
            places.tensor(node.input(0).index),
            places.tensor(node.output.index),
            places.scratch,
            where.in_h,
            where.in_w,
            depth,
            where.out_h,
            where.out_w,
            *where[6:14],
            *conv.ends(found),
            row,
            places.constant(_by_lanes(weights)),
            places.constant(found.table),
            where.out_c // where.in_c,
        ]

    return Step(
        kind=KIND,
        name=node.name,
        reads=(node.input(0).index,),
        writes=(node.output.index,),
        words=words,
        scratch_bytes=span * row,
        over=(node.input(0).index,) if _follows(where) else (),
    )


def _row_bytes(where: Windows) -> int:
    """Of a row with everything that any window touches."""
    reach = (where.out_w - 1) * where.stride_w + (where.kernel_w - 1) * where.dilation_w + 1
    return max(reach, where.pad_left + where.in_w) * where.out_c


def _follows(where: Windows) -> bool:
    """Whether no output row covers an input row that is not in the ring yet."""
    span = (where.kernel_h - 1) * where.dilation_h + 1
    return all(
        (y + 1) * where.out_w * where.out_c
        <= max(0, min(where.in_h, y * where.stride_h - where.pad_top + span)) * where.in_w * where.in_c
        for y in range(where.out_h)
    )


def _by_lanes(weights: Array) -> Array:
    """(groups of 4 channels, taps, 4) int8, the last group filled up with zeros."""
    depth = weights.shape[-1]
    taps = weights.reshape(-1, depth)
    filled = np.pad(taps, ((0, 0), (0, -depth % _LANES)))
    return np.ascontiguousarray(filled.reshape(len(taps), -1, _LANES).transpose(1, 0, 2))
