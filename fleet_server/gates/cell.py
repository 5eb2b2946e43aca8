"""What one device reported in one bin of calendar time, added up; and the arrays that gates work on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

import msgspec
import numpy as np

from fleet_server.gates.metric import METRICS, GateName, Sums, distance, measure
from fleet_server.gates.observation import Panel
from wire.messages import Telemetry

#: Bin of everything before the rollout.
BASELINE: Final = -1


class Cell(msgspec.Struct, frozen=True):
    """Sums of the windows of one device and one version in one bin."""

    sums: dict[GateName, Sums] = {}
    classes: tuple[int, ...] = ()

    def add(self, window: Telemetry, percentile: int) -> Cell:
        """With one more window; see :func:`fleet_server.gates.metric.measure`."""
        sums = dict(self.sums)
        for name, new in measure(window, percentile).items():
            old = sums.get(name, Sums(0.0, 0.0))
            sums[name] = Sums(old.total + new.total, old.weight + new.weight)
        classes = tuple(a + b for a, b in zip_longest(self.classes, window.classes, fillvalue=0))
        return Cell(sums, classes)


class Member(NamedTuple):
    """A device's part in the comparison."""

    treated: bool
    stratum: int


class Bin(NamedTuple):
    """Where a cell belongs."""

    device: str
    bin: int
    """From 0, or BASELINE."""


def bin_of(at: float, started_at: float, bin_s: float) -> int:
    """Bin of a moment, seconds since the epoch."""
    return BASELINE if at < started_at else int((at - started_at) / bin_s)


def panels(members: Mapping[str, Member], cells: Mapping[Bin, Cell]) -> dict[GateName, Panel]:
    """Each metric's panel, in the order of ``members``; metrics that nobody reported are left out."""
    rows = {device: row for row, device in enumerate(members)}
    columns = {
        each: column for column, each in enumerate(sorted({b.bin for b in cells if b.bin != BASELINE}))
    }
    treated = np.array([member.treated for member in members.values()], np.bool_)
    stratum = np.array([member.stratum for member in members.values()], np.intp)
    before = {where.device: cell for where, cell in cells.items() if where.bin == BASELINE}
    totals, weights = np.zeros((2, len(METRICS), len(rows), len(columns)))
    for where, cell in cells.items():
        if where.bin != BASELINE and where.device in rows:
            place = (rows[where.device], columns[where.bin])
            for index, metric in enumerate(METRICS):
                sums = _sums(metric.name, cell, before.get(where.device))
                totals[index, *place], weights[index, *place] = sums
    return {
        metric.name: Panel(
            totals[index],
            weights[index],
            treated,
            np.array([_mean_before(metric.name, before.get(device)) for device in members]),
            stratum,
        )
        for index, metric in enumerate(METRICS)
        if weights[index].any()
    }


def _sums(name: GateName, cell: Cell, before: Cell | None) -> Sums:
    if name != "classes":
        return cell.sums.get(name, Sums(0.0, 0.0))
    if before is None:
        return Sums(0.0, 0.0)
    return distance(cell.classes, _shares(before.classes))


def _shares(classes: Sequence[int]) -> dict[int, float]:
    total = sum(classes)
    return {label: count / total for label, count in enumerate(classes)} if total else {}


def _mean_before(name: GateName, before: Cell | None) -> float:
    """The distance of a device's answers has no value before the rollout: it is 0 by definition."""
    sums = before.sums.get(name) if before is not None else None
    return sums.total / sums.weight if sums is not None and sums.weight else math.nan
