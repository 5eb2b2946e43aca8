"""A better plan than TFLM's, found by trying other orders of placement.

First-fit over orders reaches an optimal plan for some order, so the search is over orders: swaps and
moves, accepted by simulated annealing (Kirkpatrick, Gelatt & Vecchi, Science 220, 1983). It stops when
the lower bound is reached, which proves the plan optimal, or when its budget of steps is spent.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from converter.planning.buffers import Buffer
from converter.planning.placement import Offsets, greedy_order, height, lower_bound, place

STEPS: Final = 4000
"""Budget: counted, not timed, so that the same file gives the same plan on any machine."""
_START: Final = 0.05
"""Starting temperature, as a share of the lower bound."""


class Plan(NamedTuple):
    """Where the buffers lie, and how good that is."""

    offsets: Offsets
    head: int
    """Bytes of the head."""
    greedy_head: int
    """The same by TFLM's own plan."""
    lower_bound: int

    @property
    def optimal(self) -> bool:
        """Whether no plan can be smaller, as the lower bound proves."""
        return self.head == self.lower_bound


def search(buffers: Sequence[Buffer], steps: int = STEPS, seed: int = 0) -> Plan:
    """The best plan found; never worse than TFLM's."""
    bound = lower_bound(buffers)
    order = greedy_order(buffers)
    best = place(order)
    greedy_head = best_head = height(buffers, best)
    for start in (order, sorted(order, key=lambda b: (b.first - b.last, -b.size))):
        offsets, head = _anneal(start, bound, steps, random.Random(seed))  # noqa: S311 - no secret
        if head < best_head:
            best, best_head = offsets, head
        if best_head == bound:
            break
    return Plan(best, best_head, greedy_head, bound)


def _anneal(order: Sequence[Buffer], bound: int, steps: int, generator: random.Random) -> tuple[Offsets, int]:
    current = list(order)
    offsets = best = place(current)
    head = best_head = height(current, offsets)
    if len(current) < 2:
        return best, best_head
    for step in range(steps):
        if best_head == bound:
            break
        tried = list(current)
        moved = tried.pop(generator.randrange(len(tried)))
        tried.insert(generator.randrange(len(tried) + 1), moved)
        offsets = place(tried)
        found = height(tried, offsets)
        warmth = _START * bound * (1 - step / steps)
        if found <= head or generator.random() < math.exp((head - found) / max(warmth, 1.0)):
            current, head = tried, found
        if found < best_head:
            best, best_head = offsets, found
    return best, best_head
