"""RESIZE_NEAREST_NEIGHBOR (tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from converter.image.fixed_point import round_away
from converter.image.graph import Array, Node
from converter.image.operands import int8_only
from converter.image.step import Places, Step

KIND: Final = 10
_LONGEST: Final = 2**16


def nearest(node: Node) -> Step:
    """Which input row and column each output row and column comes from are tables of the image."""
    given, made = node.input(0), node.output
    int8_only(node, given, made)
    if len(given.shape) != 4 or (given.shape[0], given.shape[3]) != (made.shape[0], made.shape[-1]):
        raise node.refused(f"goes from {given.shape} to {made.shape}")
    if given.shape[0] != 1 or max(given.shape) > _LONGEST:
        raise node.refused(f"has an input of {given.shape}")
    rows, columns = (_sources(given.shape[axis], made.shape[axis], node.options) for axis in (1, 2))

    def words(places: Places) -> list[int]:
        return [
            places.tensor(given.index),
            places.tensor(made.index),
            *given.shape[1:3],
            *made.shape[1:],
            places.constant(rows),
            places.constant(columns),
        ]

    return Step(KIND, node.name, (given.index,), (made.index,), words)


def _sources(length: int, out: int, options: Any) -> Array:
    """In float32, as TFLM has it."""
    corners = options.alignCorners
    near = np.float32(0.5 if options.halfPixelCenters else 0)
    if corners and out > 1:
        scale = np.float32(length - 1) / np.float32(out - 1)
    else:
        scale = np.float32(length) / np.float32(out)
    found = [(np.float32(at) + near) * scale for at in range(out)]
    places = [round_away(float(value)) if corners else int(np.floor(value)) for value in found]
    return np.array([min(place, length - 1) for place in places], np.uint16)
