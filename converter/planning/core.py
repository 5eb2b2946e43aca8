"""Which buffers make a plan hard: the others find room under a limit wherever those lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from converter.planning.buffers import ALIGNMENT, Buffer
from converter.planning.placement import Neighbours


class Peeled(NamedTuple):
    """Buffers in two parts."""

    groups: list[list[Buffer]]
    """The hard ones, in groups that no scope connects."""
    easy: list[Buffer]
    """To be placed after them, in this order; first fit keeps each under the limit."""


def peel(buffers: Sequence[Buffer], near: Neighbours, limit: int) -> Peeled:
    """Take away, one after another, what must fit under ``limit`` by counting.

    A buffer of size s may begin at (limit - s) / 16 + 1 places; another of size t that is needed at the
    same time takes at most (s + t) / 16 - 1 of them away.
    """
    hard = {buffer.tensor: buffer for buffer in buffers}
    spare = {
        buffer.tensor: (limit - buffer.size) // ALIGNMENT
        - sum(_taken(buffer, other) for other in near[buffer.tensor])
        for buffer in buffers
    }
    easy: list[Buffer] = []
    waiting = list(buffers)
    while waiting:
        buffer = waiting.pop()
        if buffer.tensor not in hard or spare[buffer.tensor] < 0:
            continue
        easy.append(hard.pop(buffer.tensor))
        for other in near[buffer.tensor]:
            spare[other.tensor] += _taken(buffer, other)
            waiting.append(other)
    return Peeled(_groups(hard, near), easy[::-1])


def _taken(one: Buffer, other: Buffer) -> int:
    return (one.size + other.size) // ALIGNMENT - 1


def _groups(hard: dict[int, Buffer], near: Neighbours) -> list[list[Buffer]]:
    groups: list[list[Buffer]] = []
    while hard:
        group = [hard.pop(next(iter(hard)))]
        for member in group:
            group += [hard.pop(other.tensor) for other in near[member.tensor] if other.tensor in hard]
        groups.append(group)
    return groups
