"""How wrong estimates are on published rows that the fit did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from statistics import median
from typing import NamedTuple

from converter import calibration, rates
from converter.calibration import Row


class Errors(NamedTuple):
    """Relative errors, signed: estimate / published - 1."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the sizes."""
        return median(map(abs, self.values))

    @property
    def worst(self) -> float:
        """The largest size."""
        return max(map(abs, self.values))


def fitted(rows: Sequence[Row]) -> Errors:
    """On the rows that were fitted: not held out, for comparison."""
    return Errors(tuple(_errors(rows, rows)))


def by_model(rows: Sequence[Row], core: str | None = None) -> Errors:
    """Each model predicted from the other models; of one core's rows, or of all."""
    return Errors(tuple(_held_out(rows, core, lambda row: row.model)))


def by_board(rows: Sequence[Row]) -> Errors | None:
    """Each board predicted from other boards; None when no core of the stack has two."""
    boards: dict[str, set[str]] = {}
    for row in rows:
        boards.setdefault(row.core, set()).add(row.board)
    values: list[float] = []
    for core, known in sorted(boards.items()):
        if len(known) > 1:
            values += _held_out(rows, core, lambda row: row.board)
    return Errors(tuple(values)) if values else None


@cache
def of_core(stack: str, core: str) -> Errors:
    """Errors by model of one core in one stack."""
    return by_model(calibration.rows(stack), core)


def _held_out(rows: Sequence[Row], core: str | None, key: Callable[[Row], str]) -> Iterable[float]:
    for name in sorted({key(row) for row in rows if core in (None, row.core)}):
        unseen = [row for row in rows if key(row) == name and core in (None, row.core)]
        yield from _errors([row for row in rows if key(row) != name], unseen)


def _errors(seen: Sequence[Row], unseen: Sequence[Row]) -> Iterable[float]:
    costs = rates.fit(seen)
    for row in unseen:
        yield costs[row.core].cycles(row.work) / row.cycles - 1
