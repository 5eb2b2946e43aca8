"""How fast devices are told: a token bucket whose rate grows with the devices that went well."""

from __future__ import annotations

import math

from fleet_server.rollout_policy import Pace

BURST_S = 10.0
"""The bucket holds what this much time gives (at least one device), so that a late tick catches up."""


def rate_per_s(pace: Pace, went_well: int) -> float:
    """Devices a second, after so many confirmed."""
    # The exponent is bounded: 10 ** 400 is no float, and any policy's ceiling is reached long before.
    grown = pace.per_minute * pace.factor ** min(went_well // pace.every, 300)
    return min(grown, pace.most_per_minute) / 60


def allowed(pace: Pace, tokens: float, seconds: float, went_well: int) -> float:
    """Tokens after ``seconds``; a whole one is needed for a device."""
    rate = rate_per_s(pace, went_well)
    return min(tokens + rate * seconds, max(1.0, rate * BURST_S))


def devices(tokens: float) -> int:
    """How many devices the tokens are enough for."""
    return math.floor(tokens + 1e-9)
