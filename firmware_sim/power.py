"""The supply of a simulated chip: it counts flash operations, and may go at any of them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from random import Random


class Cut(StrEnum):
    """How far the operation gets at which the power goes."""

    BEFORE = "before"
    """Not at all."""
    EARLY = "early"
    """Nothing of it shows yet; the cells it was at are no longer reliable."""
    MIDDLE = "middle"
    """Half of it is done; the cells it was at read as they please."""
    LATE = "late"
    """All of it shows; the cells it was at last are not reliable."""


class PowerCut(BaseException):
    """The core has stopped: nothing of the firmware may catch this."""


Plan = Callable[[int], Cut | None]
"""The cut at flash operation n, which counts from 1 since the power came; None when there is none."""


class Power:
    """From one power-on to the cut."""

    def __init__(self, plan: Plan = lambda _number: None, on_cut: Callable[[], None] = lambda: None) -> None:
        """``on_cut`` is called as the power goes, before the firmware could do anything more."""
        self.operations = 0
        self.on = True
        self._plan = plan
        self._on_cut = on_cut

    def operation(self) -> Cut | None:
        """Count one flash operation, and say whether and how it is cut; PowerCut when it is dark."""
        if not self.on:
            raise PowerCut
        self.operations += 1
        cut = self._plan(self.operations)
        if cut is not None:
            self.on = False
            self._on_cut()
        return cut


def random_cuts(rate: float, rng: Random) -> Plan:
    """Each operation is cut with probability ``rate``, in any way."""
    ways = list(Cut)
    return lambda _number: rng.choice(ways) if rng.random() < rate else None
