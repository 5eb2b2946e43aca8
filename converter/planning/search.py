"""A better plan than TFLM's: within the lower bound if there is one, or else as little above as was found.

What must fit anyway is set aside (``core``); whether the rest fits under a limit is decided by branch and
bound (``exact``). The first limit is the lower bound; when no plan keeps it, the limits between it and the
best plan known are bisected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from converter.planning.buffers import ALIGNMENT, Buffer
from converter.planning.core import peel
from converter.planning.exact import within
from converter.planning.placement import (
    Neighbours,
    Offsets,
    greedy_order,
    height,
    lower_bound,
    neighbours,
    place,
)
from wire.errors import RefusedError

STEPS: Final = 6_000
"""Budget of one limit: counted, not timed, so that the same file gives the same plan on any machine."""
_MAX_BUFFERS: Final = 2048
Proof = Literal["bound", "exhaustion", "none"]


class Plan(NamedTuple):
    """Where the buffers lie, and how good that is."""

    offsets: Offsets
    head: int
    """Bytes of the head."""
    greedy_head: int
    """The same by TFLM's own plan."""
    lower_bound: int
    proof: Proof
    """Why no plan can be smaller: it is the lower bound, or all smaller ones were ruled out; or unproven."""

    @property
    def optimal(self) -> bool:
        """Whether it is proven that no plan is smaller."""
        return self.proof != "none"


def search(buffers: Sequence[Buffer], steps: int = STEPS) -> Plan:
    """The best plan found, never worse than TFLM's; RefusedError for more than 2,048 buffers.

    Sizes are multiples of ALIGNMENT.
    """
    if any(buffer.size % ALIGNMENT for buffer in buffers):
        raise ValueError(f"sizes have to be multiples of {ALIGNMENT}")
    if len(buffers) > _MAX_BUFFERS:
        raise RefusedError(
            "too_many_tensors",
            f"the planner takes {_MAX_BUFFERS:,} tensors, the model computes {len(buffers):,}",
            "leave --plan out",
        )
    near = neighbours(buffers)
    bound = lower_bound(buffers)
    best = place(greedy_order(buffers), near)
    greedy_head = head = height(buffers, best)
    failed = ruled_out = bound - ALIGNMENT
    limit = bound
    while limit < head:
        found, impossible = _within(buffers, near, limit, steps)
        if found is not None:
            best, head = found, height(buffers, found)
        else:
            failed = limit
            ruled_out = limit if impossible else ruled_out
        limit = failed + max(ALIGNMENT, (head - failed) // 2 // ALIGNMENT * ALIGNMENT)
    proof: Proof = "bound" if head == bound else "exhaustion" if ruled_out == head - ALIGNMENT else "none"
    return Plan(best, head, greedy_head, bound, proof)


def _within(
    buffers: Sequence[Buffer], near: Neighbours, limit: int, steps: int
) -> tuple[Offsets | None, bool]:
    """A plan of at most ``limit`` bytes; without one, whether there is none."""
    peeled = peel(buffers, near, limit)
    offsets: Offsets = {}
    for group in peeled.groups:
        answer = within(group, limit, steps)
        if answer.offsets is None:
            return None, answer.impossible
        offsets.update(answer.offsets)
    return place(peeled.easy, near, offsets), False
