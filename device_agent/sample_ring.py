"""Windows that a device keeps for whoever may ask: bounded, in RAM, and none unless its owner wants it.

Each window is kept or not by a weighted draw without replacement over everything that was seen, in which
unsure answers weigh more, and old windows ever less: P. S. Efraimidis and P. G. Spirakis, "Weighted random
sampling with a reservoir", Information Processing Letters 97 (2006), algorithm A-Res, with weights that
grow exponentially with time.
"""

from __future__ import annotations

import heapq
import math
from random import Random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from device_agent.loaded_model import Answer

#: Readings after which a window weighs 1/e of a new one, in windows that are kept.
_MEMORY: Final = 3.0
#: Weight of a window that the model is sure of, where one that it is not has 1.
_SURE: Final = 0.2


class Kept(NamedTuple):
    """One window."""

    window: NDArray[np.float32]
    label: int | None
    digest: str
    answer: int
    confidence: float
    at_s: float
    """Monotonic."""


class SampleRing:
    """At most ``size`` windows."""

    def __init__(self, size: int, rng: Random) -> None:
        self._size = size
        self._rng = rng
        self._seen = 0
        self._heap: list[tuple[float, int, Kept]] = []

    def add(
        self, window: NDArray[np.float32], label: int | None, digest: str, answer: Answer, now_s: float
    ) -> None:
        """Perhaps keep a window, in the place of another when there is no room."""
        if not self._size or not np.isfinite(window).all():
            return
        self._seen += 1
        unsure = _SURE + (1.0 - _SURE) * (1.0 - min(1.0, max(0.0, answer.confidence)))
        # log of u^(1/w) for w = unsure e^(t/memory), in a form that does not overflow; larger is kept.
        age = self._seen / (_MEMORY * self._size)
        priority = age + math.log(unsure) - math.log(-math.log(self._rng.random() or 1e-300))
        if len(self._heap) == self._size and priority <= self._heap[0][0]:
            return
        kept = Kept(window.copy(), label, digest, answer.label, answer.confidence, now_s)
        push = heapq.heapreplace if len(self._heap) == self._size else heapq.heappush
        push(self._heap, (priority, self._seen, kept))

    def draw(self, count: int) -> list[Kept]:
        """The ``count`` windows of the highest priority, newest last; they stay."""
        chosen = heapq.nlargest(count, self._heap)
        return [kept for _, _, kept in sorted(chosen, key=lambda entry: entry[1])]
