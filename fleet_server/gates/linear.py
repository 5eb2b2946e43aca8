"""The difference between two arms of devices, tested while looking all the time.

One observation a device: the device is what was randomised, and its inferences are anything but
independent. The observations are compared by a linear model with nuisance covariates (the device's own
past, its stratum), whose treatment effect has an e-process in closed form: Lindon, Ham, Tingley & Bojinov,
"Anytime-Valid Linear Models and Regression Adjusted Causal Inference in Randomized Experiments" (2022,
arXiv 2210.08589), theorem 3.2 and its confidence sequence. The residual variance is unknown, as in the
t-test; without normal residuals the guarantee is asymptotic in the number of devices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
PRECISIONS: Final = (4.0, 0.1)
"""Of the mixtures over effects, in units of the residual spread, with equal weight: one made for effects of
about half of it, and one for effects of several times it, which a handful of devices then suffices to see."""


class Fit(NamedTuple):
    """Least squares estimate of the treatment effect."""

    effect: float
    """Treated minus control, in the observations' unit."""
    error: float
    """Standard error of ``effect``."""
    freedom: int
    """Degrees of freedom of the residual variance."""
    information: float
    """Residual sum of squares of the treatment's indicator given the covariates."""


def fit(observed: Vector, treated: NDArray[np.bool_], covariates: Matrix, floor: float) -> Fit | None:
    """Effect of treatment on ``observed`` (n,), given ``covariates`` (n, k) with the intercept among them.

    ``floor`` is added to the residual standard deviation (in squares): what the measurement cannot
    resolve is no evidence. None where the data do not tell the effect from the covariates.
    """
    both = np.column_stack([treated.astype(np.float64), observed])
    try:
        explained = np.linalg.solve(covariates.T @ covariates, covariates.T @ both)
    except np.linalg.LinAlgError:  # covariates that say the same
        return None
    indicator, residual = (both - covariates @ explained).T
    information = float(indicator @ indicator)
    freedom = len(observed) - covariates.shape[1] - 1
    if freedom < 1 or information < 1e-9:
        return None
    effect = float(indicator @ residual) / information
    squares = max(0.0, float(residual @ residual) - effect * effect * information)
    variance = squares / freedom + floor * floor
    return Fit(effect, math.sqrt(variance / information), freedom, information)


def log_e_two_sided(fitted: Fit, null: float) -> float:
    """Logarithm of the e-value against "the effect is ``null``"."""
    return _mean_e([_two_sided(fitted, null, precision) for precision in PRECISIONS])


def log_e_below(fitted: Fit, null: float) -> float:
    """Logarithm of the e-value against "the effect is ``null`` or more".

    The mixture is over effects below ``null`` only: twice the two-sided e-value times the mixture's
    posterior probability of that half, as Howard et al. (2021), proposition 5, do for the normal mixture.
    """
    return _mean_e([_below(fitted, null, precision) for precision in PRECISIONS])


def log_e_above(fitted: Fit, null: float) -> float:
    """Logarithm of the e-value against "the effect is ``null`` or less"."""
    return log_e_below(fitted._replace(effect=-fitted.effect), -null)


def interval(fitted: Fit, alpha: float) -> tuple[float, float]:
    """Confidence sequence: contains the effect at all looks with probability 1 - ``alpha`` or more.

    The effects whose two-sided e-values are all below their number / ``alpha``, which no effect misses
    whose mean e-value is below 1 / ``alpha``; infinite while nothing can be excluded.
    """
    radius = min(_radius(fitted, alpha / len(PRECISIONS), precision) for precision in PRECISIONS)
    return fitted.effect - radius, fitted.effect + radius


def _two_sided(fitted: Fit, null: float, precision: float) -> float:
    shrink = precision / (precision + fitted.information)
    scaled = ((fitted.effect - null) / fitted.error) ** 2 / fitted.freedom
    grown = math.log1p(scaled) - math.log1p(shrink * scaled)
    return 0.5 * math.log(shrink) + 0.5 * (fitted.freedom + 1) * grown


def _below(fitted: Fit, null: float, precision: float) -> float:
    shrink = precision / (precision + fitted.information)
    t = (null - fitted.effect) / fitted.error
    spread = math.sqrt((fitted.freedom + shrink * t * t) / (fitted.freedom + 1))
    position = t * math.sqrt(1 - shrink) / spread
    half = float(stdtr(fitted.freedom + 1, position))
    return _two_sided(fitted, null, precision) + math.log(2 * half) if half > 0 else -math.inf


def _radius(fitted: Fit, alpha: float, precision: float) -> float:
    shrink = precision / (precision + fitted.information)
    ratio = (1 / (alpha * math.sqrt(shrink))) ** (2 / (fitted.freedom + 1))
    if ratio * shrink >= 1:
        return math.inf
    return fitted.error * math.sqrt(fitted.freedom * (ratio - 1) / (1 - ratio * shrink))


def _mean_e(logs: Sequence[float]) -> float:
    """Logarithm of the mean of e-values: an e-value again."""
    highest = max(logs)
    if highest == -math.inf:
        return highest
    return highest + math.log(sum(math.exp(log - highest) for log in logs) / len(logs))
