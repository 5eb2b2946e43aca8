"""What operators without weights ask of their operands: int8, and how loops go over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from converter.image.graph import Node, Tensor
from converter.image.step import Places

AXES: Final = 4
"""Of the firmware's loops over two operands."""


def int8_only(node: Node, *tensors: Tensor) -> None:
    """RefusedError for an operand of another type."""
    for tensor in tensors:
        if tensor.dtype != "INT8":
            raise node.refused(f"has operands of {tensor.dtype}")


def place(places: Places, tensor: Tensor) -> int:
    """Of an operand: an offset in the arena, or the complement of one in the image for a constant."""
    return places.tensor(tensor.index) if tensor.values is None else ~places.constant(tensor.values)


def axes(node: Node, shape: Sequence[int], operands: Sequence[Tensor]) -> tuple[list[int], list[list[int]]]:
    """Loops over ``shape``, outermost first: counts, and each operand's steps in bytes, 0 where repeated.

    RefusedError for what does not broadcast, or goes along more than AXES axes.
    """
    steps = [_steps(node, shape, operand.shape) for operand in operands]
    counts: list[int] = []
    merged: list[list[int]] = [[] for _ in operands]
    for axis, count in enumerate(shape):
        if count == 1:
            continue
        here = [one[axis] for one in steps]
        if counts and all(kept[-1] == step * count for kept, step in zip(merged, here, strict=True)):
            counts[-1] *= count
            for kept, step in zip(merged, here, strict=True):
                kept[-1] = step
            continue
        counts.append(count)
        for kept, step in zip(merged, here, strict=True):
            kept.append(step)
    if len(counts) > AXES:
        raise node.refused(f"broadcasts along {len(counts)} axes")
    missing = AXES - len(counts)
    return [1] * missing + counts, [[0] * missing + kept for kept in merged]


def _steps(node: Node, shape: Sequence[int], operand: Sequence[int]) -> list[int]:
    filled = [1] * (len(shape) - len(operand)) + list(operand)
    if any(have not in (1, want) for have, want in zip(filled, shape, strict=True)):
        raise node.refused(f"makes {tuple(shape)} of {tuple(operand)}")
    steps, step = [], 1
    for have in reversed(filled):
        steps.append(step if have > 1 else 0)
        step *= have
    return steps[::-1]
