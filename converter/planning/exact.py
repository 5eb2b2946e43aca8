"""Whether a plan within a limit exists: found, or proven not to, by branch and bound.

Buffers are placed in order of their offsets, each as low as those placed before allow: every plan can be
pushed down into that form. A branch ends when some scope cannot hold what is still to come, or when a
buffer could be pushed under the one that was just placed. After Moffitt, "MiniMalloc: A Lightweight Memory
Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from converter.planning.buffers import Buffer
from converter.planning.placement import Offsets, crowds


class Answer(NamedTuple):
    """What the search ended with."""

    offsets: Offsets | None
    """A plan within the limit."""
    impossible: bool
    """Whether every plan was ruled out, rather than the budget spent."""
    steps: int
    """Placements that were tried."""


def within(buffers: Sequence[Buffer], limit: int, budget: int) -> Answer:
    """A plan for ``buffers`` of at most ``limit`` bytes; ``budget`` placements for each of _PREFERENCES."""
    answer = Answer(None, False, 0)
    for preference in _PREFERENCES:
        answer = _within(sorted(buffers, key=preference), limit, budget)
        if answer.offsets is not None or answer.impossible:
            break
    return answer


def _within(buffers: Sequence[Buffer], limit: int, budget: int) -> Answer:
    search = _Search(buffers, limit)
    while search.open and search.steps < budget:
        if not search.step():
            return Answer(None, True, search.steps)
    if search.open:
        return Answer(None, False, search.steps)
    return Answer({b.tensor: search.offset[i] for i, b in enumerate(search.buffers)}, False, search.steps)


_PREFERENCES: Final[tuple[Callable[[Buffer], tuple[int, int]], ...]] = (
    lambda b: (-b.size * (1 + b.last - b.first), b.tensor),
    lambda b: (b.first - b.last, b.tensor),
    lambda b: (-b.size, b.tensor),
)
"""Which of two buffers that could lie equally low goes first: large and long, long, or large."""


class _Placed(NamedTuple):
    number: int
    raised: list[tuple[int, int]]
    """Others that could no longer lie as low as they did, and where that was."""


class _Search:
    """Depth first. Buffers go by number: their place in the sequence given."""

    def __init__(self, buffers: Sequence[Buffer], limit: int) -> None:
        self.buffers = buffers
        self.limit, self.steps = limit, 0
        self.open = set(range(len(self.buffers)))
        self.offset = [-1] * len(self.buffers)
        self._lowest = [0] * len(self.buffers)
        """Where each would lie if it came next."""
        self._size = [buffer.size for buffer in self.buffers]
        number = {buffer.tensor: i for i, buffer in enumerate(self.buffers)}
        self._crowds = [[number[b.tensor] for b in crowd] for crowd in crowds(self.buffers)]
        self._crowds_of: list[list[int]] = [[] for _ in self.buffers]
        for at, crowd in enumerate(self._crowds):
            for member in crowd:
                self._crowds_of[member].append(at)
        self._near = [
            sorted({j for at in mine for j in self._crowds[at]} - {i})
            for i, mine in enumerate(self._crowds_of)
        ]
        self._path: list[_Placed] = []
        self._choices = [self._next(-1, -1)]
        self._dead: dict[tuple[int, ...], tuple[int, int]] = {}

    def step(self) -> bool:
        """Place one more, or take the last back; False when everything was tried."""
        choice = next(self._choices[-1], None)
        if choice is not None:
            self.steps += 1
            if self._place(*choice):
                self._choices.append(self._next(*choice))
            return True
        self._choices.pop()
        if self._path:
            self._take_back()
        return bool(self._choices)

    def _next(self, last: int, number: int) -> Iterator[tuple[int, int]]:
        """Offsets and buffers that may follow the one at ``last``; of equal offsets higher numbers only."""
        lowest, size = self._lowest, self._size
        below = min((lowest[i] + size[i] for i in self.open), default=0)
        state = tuple(-1 if self.offset[i] >= 0 else low for i, low in enumerate(lowest))
        if below <= last or self._dead.get(state, (last, number + 1)) <= (last, number):
            return
        yield from sorted((lowest[i], i) for i in self.open if (last, number) < (lowest[i], i) < (below,))
        self._dead[state] = (last, number)

    def _place(self, low: int, i: int) -> bool:
        """Whether all crowds can still be held; else it is taken back."""
        end = low + self._size[i]
        raised = [(j, self._lowest[j]) for j in self._near[i] if j in self.open and self._lowest[j] < end]
        self._path.append(_Placed(i, raised))
        self.open.remove(i)
        self.offset[i] = low
        for j, _ in raised:
            self._lowest[j] = end
        touched = {at for j in (i, *(j for j, _ in raised)) for at in self._crowds_of[j]}
        if all(self._holds(at, low) for at in touched):
            return True
        self._take_back()
        return False

    def _take_back(self) -> None:
        i, raised = self._path.pop()
        for j, before in raised:
            self._lowest[j] = before
        self.offset[i] = -1
        self.open.add(i)

    def _holds(self, at: int, last: int) -> bool:
        """Whether what is open of a crowd fits between where it can begin and the limit."""
        coming = [j for j in self._crowds[at] if j in self.open]
        floor = max(last, min((self._lowest[j] for j in coming), default=0))
        return floor + sum(self._size[j] for j in coming) <= self.limit
