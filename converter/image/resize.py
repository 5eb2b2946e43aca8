"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: where each output row and column comes from is a table.

Sources: resize_nearest_neighbor.h and resize_bilinear.h (ResizeBilinearInteger) of
tensorflow/lite/kernels/internal/reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from converter.image.fixed_point import round_away
from converter.image.graph import Array, Node
from converter.image.step import Places, Step

NEAREST: Final = 10
BILINEAR: Final = 13
_LONGEST: Final = 2**15
_ONE: Final = 1 << 10
"""Bilinear places between pixels have ten bits of fraction."""
Table = Callable[[Node, int, int], Array]
"""Of a node, the length of an axis before and after."""


def nearest(node: Node) -> Step:
    """One input value for each output value."""
    return _resized(node, NEAREST, _sources)


def bilinear(node: Node) -> Step:
    """A mean of four, by how near each is."""
    return _resized(node, BILINEAR, _shares)


def _resized(node: Node, kind: int, table: Table) -> Step:
    node.require_int8()
    given, made = node.input(0), node.output
    if len(given.shape) != 4 or (given.shape[0], given.shape[3]) != (made.shape[0], made.shape[-1]):
        raise node.refused(f"goes from {given.shape} to {made.shape}")
    if given.shape[0] != 1 or len(made.shape) != 4 or max(*given.shape, *made.shape) >= _LONGEST:
        raise node.refused(f"has an input of {given.shape}")
    rows, columns = (table(node, given.shape[axis], made.shape[axis]) for axis in (1, 2))

    def words(places: Places) -> list[int]:
        return [
            places.tensor(given.index),
            places.tensor(made.index),
            *given.shape[1:3],
            *made.shape[1:],
            places.constant(rows),
            places.constant(columns),
        ]

    return Step(kind, node.name, (given.index,), (made.index,), words)


def _sources(node: Node, length: int, out: int) -> Array:
    """(out,) uint16, found in float32 as TFLM does."""
    options: Any = node.options
    corners = options.alignCorners
    near = np.float32(0.5 if options.halfPixelCenters else 0)
    if corners and out > 1:
        scale = np.float32(length - 1) / np.float32(out - 1)
    else:
        scale = np.float32(length) / np.float32(out)
    found = [(np.float32(at) + near) * scale for at in range(out)]
    places = [round_away(float(value)) if corners else int(np.floor(value)) for value in found]
    return np.array([min(place, length - 1) for place in places], np.uint16)


def _shares(node: Node, length: int, out: int) -> Array:
    """(out, 4) int16: the lower place, the upper, and the share of each, of 1024."""
    options: Any = node.options
    if options.alignCorners and out > 1:
        scale = (_ONE * (length - 1) + (out - 1) // 2) // (out - 1)
    else:
        scale = (_ONE * length + out // 2) // out
    found = []
    for at in range(out):
        place = at * scale + (scale // 2 - _ONE // 2 if options.halfPixelCenters else 0)
        low, high = max(int(place / _ONE), 0), min(int((place + _ONE - 1) / _ONE), length - 1)
        if low >= length:
            # Rounding of the scale carries TFLM beyond the picture.
            raise node.refused(f"goes from {length} to {out} rows or columns")
        found.append((low, high, _ONE - (place - _ONE * low), place - _ONE * low))
    return np.array(found, np.int16)
