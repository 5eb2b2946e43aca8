"""First-fit placement of buffers in a given order, and TFLM's own order.

Source: tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc: buffers by descending size, each into
the first gap between those already placed that are needed at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from converter.planning.buffers import Buffer

Offsets = dict[int, int]
"""Bytes from the start of the head, by tensor."""


def place(order: Iterable[Buffer]) -> Offsets:
    """Each buffer, in this order, at the lowest offset that no buffer needed at the same time covers."""
    offsets: Offsets = {}
    placed: list[tuple[int, Buffer]] = []
    for buffer in order:
        offset = 0
        for start, other in placed:
            if not buffer.meets(other):
                continue
            if start - offset >= buffer.size:
                break
            offset = max(offset, start + other.size)
        offsets[buffer.tensor] = offset
        placed.append((offset, buffer))
        placed.sort(key=lambda pair: pair[0])
    return offsets


def greedy_order(buffers: Sequence[Buffer]) -> list[Buffer]:
    """TFLM's order: largest first; of equals the later tensor first."""
    return sorted(buffers, key=lambda buffer: (-buffer.size, -buffer.tensor))


def greedy(buffers: Sequence[Buffer]) -> Offsets:
    """TFLM's own plan for buffers without kernel scratch."""
    return place(greedy_order(buffers))


def height(buffers: Iterable[Buffer], offsets: Mapping[int, int]) -> int:
    """Bytes of the head under a plan."""
    return max((offsets[buffer.tensor] + buffer.size for buffer in buffers), default=0)


def overlaps(buffers: Sequence[Buffer], offsets: Mapping[int, int]) -> list[tuple[int, int]]:
    """Pairs of tensors that are needed at the same time and share bytes: none in a valid plan."""
    found = []
    for index, one in enumerate(buffers):
        for other in buffers[index + 1 :]:
            start, end = offsets[one.tensor], offsets[one.tensor] + one.size
            inside = offsets[other.tensor] < end and start < offsets[other.tensor] + other.size
            if inside and one.meets(other):
                found.append((one.tensor, other.tensor))
    return found


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Most bytes needed in any one scope: no plan can be smaller."""
    scopes = {buffer.first for buffer in buffers}
    return max((sum(b.size for b in buffers if b.first <= scope <= b.last) for scope in scopes), default=0)
