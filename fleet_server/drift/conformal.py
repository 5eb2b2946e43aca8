"""How strange a score is, by rank among scores of the same kind that were nothing strange.

No distribution is assumed, and the answer knows how many scores it rests on: with few, none is very strange.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def p_values(scores: Floats, calm: Floats) -> Floats:
    """(1 + calm scores at least as large) / (1 + all calm scores); ``calm`` is sorted, ascending.

    V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2.2: uniform or larger for a
    score that is exchangeable with the calm ones.
    """
    larger = len(calm) - np.searchsorted(calm, scores, side="left")
    return np.asarray((1.0 + larger) / (1.0 + len(calm)), np.float64)


def log_e_values(p: Floats) -> Floats:
    """Logarithm of the e-value (1 - p + p ln p) / (p ln(p)^2) of a p-value; 1/2 at p = 1.

    V. Vovk and R. Wang, "E-values: calibration, combination and applications", Annals of Statistics 49
    (2021), equation (2): the mean of k p^(k-1) over all k in (0, 1), so that no k has to be chosen.
    """
    # At p = 1 the quotient is 0/0, and near it loses all its digits; the series there begins with 1/2.
    safe = np.minimum(p, 0.999)
    log_p = np.log(safe)
    near = 0.5 + (1.0 - p) / 6.0
    value = np.where(p < 0.999, (1.0 - safe + safe * log_p) / (safe * log_p**2), near)
    found: Floats = np.log(value)
    return found
