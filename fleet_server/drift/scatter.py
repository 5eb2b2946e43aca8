"""How statistics vary together, from not many more looks than there are statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def precision(deviations: Floats, least: Floats) -> Floats:
    """Inverse covariance (p, p) of ``deviations`` (n, p), whose mean is zero.

    ``least`` (p,): the standard deviation of a statistic that hardly varied is taken to be as much.

    Correlations are shrunk towards none, by as much as they are uncertain: J. Schäfer and K. Strimmer, "A
    shrinkage approach to large-scale covariance matrix estimation", Statistical Applications in Genetics and
    Molecular Biology 4 (2005), target "diagonal, unequal variance" on the correlation scale.
    """
    variance = np.maximum(np.square(deviations).mean(axis=0), np.square(least))
    scaled = deviations / np.sqrt(variance)
    correlation = scaled.T @ scaled / len(scaled)
    spread = np.square(scaled).T @ np.square(scaled) / len(scaled) - np.square(correlation)
    np.fill_diagonal(spread, 0.0)
    outside = np.square(correlation - np.diag(np.diag(correlation))).sum()
    shrinkage = 1.0 if outside == 0 else min(1.0, spread.sum() / len(scaled) / outside)
    shrunk = (1.0 - shrinkage) * correlation
    np.fill_diagonal(shrunk, 1.0)
    # Perfectly collinear statistics, as shares that add up to one, leave no inverse.
    inverse = np.linalg.pinv(shrunk, hermitian=True)
    scale = 1.0 / np.sqrt(variance)
    found: Floats = inverse * scale[:, None] * scale[None, :]
    return found
