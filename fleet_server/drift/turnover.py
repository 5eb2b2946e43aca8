"""Whether more devices changed than come and go."""

from __future__ import annotations

import math
from typing import Final

#: What shares of devices may have changed at once, all equally likely beforehand.
_SHARES: Final = (0.03, 0.05, 0.1, 0.2, 0.4, 0.7)


def log_evidence(changed: int, devices: int, turnover: float) -> float:
    """Logarithm of the likelihood ratio of ``changed`` of ``devices``: some larger share over ``turnover``.

    Under any share up to ``turnover`` its expectation is at most 1 (the ratio falls with the share), so it is
    an e-value for a fleet in which devices come and go no faster than that.
    """
    larger = [share for share in _SHARES if share > turnover] or [(1 + turnover) / 2]
    logs = [
        changed * math.log(share / turnover) + (devices - changed) * math.log((1 - share) / (1 - turnover))
        for share in larger
    ]
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))
