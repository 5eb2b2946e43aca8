"""One operator on its way into the image: what it needs of the arena, and its record once that is planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from converter.image.graph import Array


class Places(Protocol):
    """Where things lie, in bytes."""

    def tensor(self, index: int) -> int:
        """Offset in the arena."""

    @property
    def scratch(self) -> int:
        """Offset in the arena of this step's scratch."""

    def constant(self, values: Array) -> int:
        """Offset in the image of ``values``, which it then holds; equal ones are held once."""


class Step(NamedTuple):
    """One record."""

    kind: int
    """``record_kind`` of firmware/image.h."""
    name: str
    reads: tuple[int, ...]
    """Tensors in the arena."""
    writes: tuple[int, ...]
    words: Callable[[Places], list[int]]
    """Everything of the record behind its head."""
    scratch_bytes: int = 0
    over: tuple[int, ...] = ()
    """Inputs that the (only) output may be written over."""


def words_of(values: Array) -> Array:
    """Int8 values as little-endian words, filled up with zeros."""
    flat = np.ascontiguousarray(values, np.int8).reshape(-1)
    return np.pad(flat, (0, -len(flat) % 4)).view("<i4")
