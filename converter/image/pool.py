"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from typing import Final

from converter.image.channels import activation
from converter.image.graph import Node
from converter.image.spatial import windows
from converter.image.step import Places, Step

KIND: Final = 3
_MODES: Final = {"AVERAGE_POOL_2D": 0, "MAX_POOL_2D": 1}


def pool(node: Node) -> Step:
    """Either of them; scales of input and output are the same."""
    where = windows(node, (node.options.filterHeight, node.options.filterWidth))
    low, high = activation(node)

    def words(places: Places) -> list[int]:
        return [
            _MODES[node.name],
            places.tensor(node.input(0).index),
            places.tensor(node.output.index),
            where.in_h,
            where.in_w,
            where.in_c,
            where.out_h,
            where.out_w,
            where.kernel_h,
            where.kernel_w,
            where.stride_h,
            where.stride_w,
            where.pad_top,
            where.pad_left,
            low,
            high,
        ]

    return Step(KIND, node.name, (node.input(0).index,), (node.output.index,), words)
