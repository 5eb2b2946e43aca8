"""What operators without weights ask of their operands: int8, and how loops go over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.image.graph import Node, Tensor
from converter.image.step import Places
from converter.image.view import view


def int8_only(node: Node, *tensors: Tensor) -> None:
    """RefusedError for an operand of another type."""
    for tensor in tensors:
        if tensor.dtype != "INT8":
            raise node.refused(f"has operands of {tensor.dtype}")


def whole_numbers(node: Node, place: int) -> list[int]:
    """A constant operand of the shape, axis or padding sort; RefusedError for a computed one."""
    values = node.constant(place)
    if not np.issubdtype(values.dtype, np.integer):
        raise node.refused(f"has {values.dtype} for operand {place}")
    return [int(value) for value in values.reshape(-1)]


def axis_of(node: Node, axis: int, rank: int) -> int:
    """An axis counted from the front; RefusedError for one that is not there."""
    if not -rank <= axis < rank:
        raise node.refused(f"has axis {axis} of {rank}")
    return axis % rank


def place(places: Places, tensor: Tensor) -> int:
    """Of an operand: an offset in the arena, or the complement of one in the image for a constant."""
    return places.tensor(tensor.index) if tensor.values is None else ~places.constant(tensor.values)


def broadcast_loops(
    node: Node, shape: Sequence[int], operands: Sequence[Tensor], axes: int
) -> list[list[int]]:
    """Counts of ``axes`` loops over ``shape``, then each operand's steps; RefusedError if that cannot be."""
    for operand in operands:
        if not broadcasts(operand.shape, shape):
            raise node.refused(f"makes {tuple(shape)} of {operand.shape}")
    steps = [np.broadcast_to(view(operand.shape), tuple(shape)).strides for operand in operands]
    try:
        return loops(shape, steps, axes)
    except ValueError as error:
        raise node.refused(str(error)) from error


def broadcasts(operand: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an operand can be repeated to a shape."""
    ends = zip(reversed(operand), reversed(shape), strict=False)
    return len(operand) <= len(shape) and all(have in (1, want) for have, want in ends)


def loops(shape: Sequence[int], steps: Sequence[Sequence[int]], axes: int) -> list[list[int]]:
    """Counts of as few loops over ``shape`` as do, outermost first, then the steps in each of ``steps``.

    ValueError for more than ``axes``; there are never fewer.
    """
    columns: list[list[int]] = []
    for column in zip(shape, *steps, strict=True):
        count, *here = column
        if count == 1:
            continue
        if columns and columns[-1][1:] == [step * count for step in here]:
            columns[-1] = [columns[-1][0] * count, *here]
        else:
            columns.append([count, *here])
    if len(columns) > axes:
        raise ValueError(f"goes along {len(columns)} axes")
    filled = [[1] + [0] * len(steps)] * (axes - len(columns)) + columns
    return [list(row) for row in zip(*filled, strict=True)]
