"""Tensors as arrays of which only shape and strides matter: slicing and transposing them is numpy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from converter.image.graph import Array

_BASE: Final = np.zeros(1, np.int8)
"""Nothing is ever read from it, nor beyond it."""


def view(shape: Sequence[int]) -> Array:
    """All of an int8 tensor of ``shape``; takes no memory."""
    steps, step = [], 1
    for count in reversed(shape):
        steps.append(step)
        step *= count
    return np.lib.stride_tricks.as_strided(_BASE, tuple(shape), tuple(reversed(steps)))


def offset(part: Array) -> int:
    """Of the first value of a part of a view, bytes."""
    address: int = part.__array_interface__["data"][0] - _BASE.__array_interface__["data"][0]
    return address
