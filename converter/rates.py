"""Cycles per unit of work, fitted to published rows.

cycles = pace(core) x (conv x MACs of convolutions + dense x MACs of dense layers + output x outputs):
what a MAC and an output cost relative to each other is of the stack, how fast it all goes is of the
core. The cost per output (scaling back to int8, setting up the inner loop) is why depthwise layers,
with nine MACs an output, are slower per MAC than others. Least squares of relative errors, no term
below zero, in turn for the costs and for the paces.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.calibration import Row
from converter.macs import Work

_ROUNDS: Final = 30
Floats = NDArray[np.float64]


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Cycles on one core."""

    conv: float
    """Per MAC of a convolution, depthwise ones too."""
    dense: float
    """Per MAC of a dense layer."""
    output: float
    """Per output value."""

    def cycles(self, work: Work) -> float:
        """Cycles of one inference."""
        return float(_terms(work) @ np.array([self.conv, self.dense, self.output]))


def fit(rows: Sequence[Row]) -> dict[str, Costs]:
    """Costs per core; without a row of dense layers, a MAC there is taken to cost as in convolutions."""
    cores = sorted({row.core for row in rows})
    terms = np.stack([_terms(row.work) / row.cycles for row in rows])
    knows_dense = any(row.work.dense > row.work.conv for row in rows)
    if not knows_dense:
        terms = np.stack([terms[:, 0] + terms[:, 1], np.zeros(len(rows)), terms[:, 2]], axis=1)
    member = np.array([[row.core == core for core in cores] for row in rows])
    pace = np.ones(len(cores))
    for _ in range(_ROUNDS):
        costs = _least_squares(terms * (member @ pace)[:, None])
        pace = _paces(terms @ costs, member)
    if not knows_dense:
        costs[1] = costs[0]
    return {
        core: Costs(conv=float(each[0]), dense=float(each[1]), output=float(each[2]))
        for core, each in zip(cores, np.outer(pace, costs), strict=True)
    }


def _terms(work: Work) -> Floats:
    return np.array([work.conv + work.depthwise, work.dense, work.outputs], np.float64)


def _paces(predicted: Floats, member: NDArray[np.bool_]) -> Floats:
    paces: Floats = (member.T @ predicted) / (member.T @ predicted**2)
    return paces


def _least_squares(terms: Floats) -> Floats:
    """Coefficients >= 0 that bring every row closest to 1; of three terms, all choices are tried."""
    best, least = np.zeros(terms.shape[1]), np.inf
    used = np.flatnonzero(terms.any(axis=0))
    for chosen in (list(some) for size in range(1, len(used) + 1) for some in combinations(used, size)):
        found: NDArray[Any] = np.linalg.lstsq(terms[:, chosen], np.ones(len(terms)))[0]
        error = float(((terms[:, chosen] @ found - 1) ** 2).sum())
        if (found >= 0).all() and error < least:
            best, least = np.zeros(terms.shape[1]), error
            best[chosen] = found
    return best
