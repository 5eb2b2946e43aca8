"""First-fit placement of buffers in a given order, and TFLM's own order.

Source: tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc: buffers by descending size, each into
the first gap between those already placed that are needed at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from converter.planning.buffers import Buffer

Offsets = dict[int, int]
"""Bytes from the start of the head, by tensor."""
Neighbours = Mapping[int, Sequence[Buffer]]
"""By tensor: the buffers that are needed at the same time."""


def neighbours(buffers: Iterable[Buffer]) -> dict[int, list[Buffer]]:
    """Who may not share bytes with whom; in order of first need, so that it never depends on the machine."""
    found: dict[int, list[Buffer]] = {}
    active: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: (b.first, b.tensor)):
        active = [other for other in active if other.last >= buffer.first]
        found[buffer.tensor] = list(active)
        for other in active:
            found[other.tensor].append(buffer)
        active.append(buffer)
    return found


def place(order: Iterable[Buffer], near: Neighbours, fixed: Mapping[int, int] | None = None) -> Offsets:
    """Each buffer, in this order, at the lowest offset that no buffer needed at the same time covers.

    ``fixed`` are offsets of buffers that were placed before.
    """
    offsets: Offsets = dict(fixed or {})
    for buffer in order:
        offset = 0
        for start, size in sorted(
            (offsets[other.tensor], other.size) for other in near[buffer.tensor] if other.tensor in offsets
        ):
            if start - offset >= buffer.size:
                break
            offset = max(offset, start + size)
        offsets[buffer.tensor] = offset
    return offsets


def greedy_order(buffers: Sequence[Buffer]) -> list[Buffer]:
    """TFLM's order: largest first; of equals the later tensor first."""
    return sorted(buffers, key=lambda buffer: (-buffer.size, -buffer.tensor))


def greedy(buffers: Sequence[Buffer]) -> Offsets:
    """TFLM's own plan for buffers without kernel scratch."""
    return place(greedy_order(buffers), neighbours(buffers))


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


def crowds(buffers: Sequence[Buffer]) -> list[list[Buffer]]:
    """The largest sets of buffers that are needed in one scope; none is part of another."""
    starts = sorted({buffer.first for buffer in buffers})
    found = []
    for following, scope in enumerate(starts, start=1):
        crowd = [buffer for buffer in buffers if buffer.first <= scope <= buffer.last]
        if following == len(starts) or any(buffer.last < starts[following] for buffer in crowd):
            found.append(crowd)
    return found


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Most bytes needed in any one scope: no plan can be smaller."""
    return max((sum(buffer.size for buffer in crowd) for crowd in crowds(buffers)), default=0)
