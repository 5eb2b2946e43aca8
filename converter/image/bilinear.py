"""RESIZE_BILINEAR (ResizeBilinearInteger of tensorflow/lite/kernels/internal/reference/resize_bilinear.h)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from converter.image.graph import Array, Node
from converter.image.step import Places, Step

KIND: Final = 13
_ONE: Final = 1 << 10
"""Places between pixels have ten bits of fraction."""


def bilinear(node: Node) -> Step:
    """Between which rows and columns each output lies, and how near to either, are tables of the image."""
    node.require_int8()
    given, made = node.input(0), node.output
    if len(given.shape) != 4 or len(made.shape) != 4 or (given.shape[0], made.shape[0]) != (1, 1):
        raise node.refused(f"goes from {given.shape} to {made.shape}")
    if given.shape[3] != made.shape[3] or max(*given.shape, *made.shape) >= 2**15:
        raise node.refused(f"goes from {given.shape} to {made.shape}")
    rows, columns = (_steps(node, given.shape[axis], made.shape[axis]) for axis in (1, 2))

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


def _steps(node: Node, length: int, out: int) -> Array:
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
