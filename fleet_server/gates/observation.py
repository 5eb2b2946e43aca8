"""One observation a device, from what both arms reported over the same calendar time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Panel(NamedTuple):
    """One metric of the devices in a rollout, by bins of calendar time since it began."""

    totals: Array
    """Weighted sums, (devices, bins): of the new version for treated devices, of the old for control."""
    weights: Array
    """Inferences, (devices, bins)."""
    treated: NDArray[np.bool_]
    """(devices,)."""
    baseline: Array
    """Mean of each device before the rollout, (devices,); NaN where it reported nothing."""
    stratum: NDArray[np.intp]
    """Devices were drawn into the arms within a stratum, (devices,)."""


class Observations(NamedTuple):
    """What a comparison is made of: (n,) each, only devices that reported enough."""

    values: Array
    treated: NDArray[np.bool_]
    baseline: Array
    stratum: NDArray[np.intp]

    @property
    def arms(self) -> tuple[int, int]:
        """Treated and control devices."""
        treated = int(np.count_nonzero(self.treated))
        return treated, len(self.treated) - treated


def observe(panel: Panel, min_inferences: int) -> Observations:
    """Each device's mean, the control devices' weighed by bin as the treated devices' inferences lie.

    That is direct standardisation to the treated arm's calendar, in which every treated device counts once,
    as it does in the comparison: what changes for everybody from one day to the next (season, weather,
    load) moves both means alike, whenever a device was told.
    """
    treated = panel.treated
    inferences = panel.weights.sum(axis=1)
    values = _ratio(panel.totals.sum(axis=1), inferences)
    counted = treated & (inferences > 0) & (inferences >= min_inferences)
    calendar = (panel.weights[counted] / inferences[counted, np.newaxis]).sum(axis=0)
    values[~treated], inferences[~treated] = _means_by_calendar(
        panel.totals[~treated], panel.weights[~treated], calendar
    )
    enough = (inferences > 0) & (inferences >= min_inferences)
    return Observations(values[enough], treated[enough], panel.baseline[enough], panel.stratum[enough])


def _means_by_calendar(totals: Array, weights: Array, calendar: Array) -> tuple[Array, Array]:
    """Mean of each device, and the inferences that it is of."""
    by_bin = np.where(weights > 0, calendar, 0.0)
    means = (_ratio(totals, weights) * by_bin).sum(axis=1)
    return _ratio(means, by_bin.sum(axis=1)), (weights * (calendar > 0)).sum(axis=1)


def _ratio(above: Array, below: Array) -> Array:
    """NaN-free: 0 where there is nothing."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def covariates(observations: Observations) -> Array:
    """Columns that explain a device's value without its arm, (n, k): one a stratum, and its own past.

    A device without a past gets the mean one, and a column says so.
    """
    strata = sorted(set(observations.stratum.tolist()))
    columns = [(observations.stratum == stratum).astype(np.float64) for stratum in strata]
    missing = np.isnan(observations.baseline)
    known = observations.baseline[~missing]
    if len(observations.values) >= 2 * (len(strata) + 3) and len(known) and np.ptp(known) > 0:
        columns.append(np.where(missing, 0.0, observations.baseline - known.mean()))
        if missing.any():
            columns.append(missing.astype(np.float64))
    return np.column_stack(columns)
