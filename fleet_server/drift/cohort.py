"""Devices that were never like the others: wrongly mounted, another unit, another sensor."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]
#: Of all devices and statistics together, in a fleet without an outlier.
_ALPHA: Final = 0.001
#: People differ with heavier tails than the normal distribution's: of 300 fleets of 22 devices worn by the
#: people of the watch data one had a device at 17 robust deviations; g taken for m/s^2 is at 20 and more.
_DEGREES: Final = 6
MIN_DEVICES: Final = 10
#: Standard deviation of a normal distribution by its median absolute deviation.
_MAD: Final = 1.4826
_LEAST_SHARE: Final = 1e-3


class Outlier(NamedTuple):
    """One device (by its row), and the statistic (by its column) in which it differs most."""

    device: int
    statistic: int
    value: float
    median: float


def outliers(usual: Floats) -> list[Outlier]:
    """Which rows of ``usual`` (devices, p), a device's mean over its baseline each, are beyond the cohort.

    By median and median absolute deviation, which the outliers themselves cannot move, against Student's t
    of few degrees of freedom, corrected for the number of comparisons (Bonferroni).
    """
    devices, statistics = usual.shape
    if devices < MIN_DEVICES:
        return []
    median = np.median(usual, axis=0)
    spread = _MAD * np.median(np.abs(usual - median), axis=0)
    spread = np.maximum(spread, _LEAST_SHARE * np.maximum(np.abs(usual).max(axis=0), _LEAST_SHARE))
    apart = np.abs(usual - median) / spread
    limit = student.ppf(1 - _ALPHA / 2 / devices / statistics, min(_DEGREES, devices - 1))
    found = []
    for index in np.flatnonzero(apart.max(axis=1) > limit).tolist():
        most = int(apart[index].argmax())
        found.append(Outlier(index, most, float(usual[index, most]), float(median[most])))
    return found
