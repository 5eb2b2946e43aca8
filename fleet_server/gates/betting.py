"""The mean of bounded observations, one a device, against a limit, tested while looking all the time.

The capital of a gambler who bets, before each observation, that it will lie above the limit: Waudby-Smith &
Ramdas, "Estimating means of bounded random variables by betting" (JRSS B 86, 2024), section 4, with their
predictable plug-in bets (equations 23 to 26). Exact for any distribution on [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

#: A bet never risks more than this share of what could be lost at once.
MOST: Final = 0.5


def log_e(observed: Iterable[float], limit: float, alpha: float) -> float:
    """Logarithm of the e-value against "the mean of ``observed`` (each in [0, 1]) is ``limit`` or less".

    ``alpha`` is the level that the bets are tuned for.
    """
    log_capital, total, squares = 0.0, 0.5, 0.25
    for count, value in enumerate(observed, start=1):
        variance = squares / count
        wanted = math.sqrt(2 * math.log(1 / alpha) / (variance * count * math.log(count + 1)))
        log_capital += math.log1p(min(wanted, MOST / limit) * (value - limit))
        total += value
        squares += (value - total / (count + 1)) ** 2
    return log_capital
