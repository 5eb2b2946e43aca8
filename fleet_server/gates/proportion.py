"""A rate over devices that may not be exceeded, tested while looking all the time.

The beta-binomial mixture of Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences" (Annals of Statistics 49, 2021), proposition 7: the likelihood of rates
above the limit, mixed by a truncated beta density, over that of the limit. Exact for any number of devices.
"""

from __future__ import annotations

import math
from typing import Final

from scipy.special import betainc, betaln

#: Jeffreys' density, cut off at the limit: as ready for a model that fails everywhere as for a rare fault.
PRIOR: Final = (0.5, 0.5)


def log_e(failed: int, exposed: int, limit: float, prior: tuple[float, float] = PRIOR) -> float:
    """Logarithm of the e-value against "devices fail at a rate of ``limit`` or less".

    Devices that may still fail count as exposed and not as failed: as the e-value grows with every
    failure, what is not known yet can only lower it.
    """
    a, b = prior
    above = betainc(b + exposed - failed, a + failed, 1 - limit)
    before = betainc(b, a, 1 - limit)
    if above <= 0:
        return -math.inf
    mixed = betaln(a + failed, b + exposed - failed) - betaln(a, b) + math.log(above / before)
    return float(mixed - failed * math.log(limit) - (exposed - failed) * math.log1p(-limit))
