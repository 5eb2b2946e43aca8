"""DEQUANTIZE of int8, which ends models with float outputs."""

from __future__ import annotations

from typing import Final

import numpy as np

from converter.image.graph import Node
from converter.image.step import Places, Step

KIND: Final = 7


def dequantize(node: Node) -> Step:
    """To float32: scale times distance from the zero point, rounded once (reference/dequantize.h)."""
    given, made = node.input(0), node.output
    if (given.dtype, made.dtype) != ("INT8", "FLOAT32") or given.size != made.size:
        raise node.refused(f"goes from {given.dtype} {given.shape} to {made.dtype} {made.shape}")
    table = (given.scale * (np.arange(-128, 128) - given.zero)).astype(np.float32)

    def words(places: Places) -> list[int]:
        return [places.tensor(given.index), places.tensor(made.index), given.size, places.constant(table)]

    return Step(KIND, node.name, (given.index,), (made.index,), words)
