"""Whether devices of one arm break sooner than those of the other, tested while looking all the time.

The safe logrank test: ter Schure, Pérez-Ortiz, Ly & Grünwald, "The Safe Logrank Test: Error Control under
Continuous Monitoring with Unlimited Horizon" (2020, arXiv 2011.06931). At each event the chance that it
hits the treated arm depends, without a difference, only on how many of each arm are still at risk: weather,
season and the time of day cancel out, and devices may enter at any time. Exact for any number of devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

#: Hazard ratios that are looked for, with equal weight.
RATIOS: Final = (1.5, 2.0, 4.0, 8.0, 16.0)


class Break(NamedTuple):
    """The first break of one device, with who was at risk just before."""

    treated: bool
    """Whether it was a treated device."""
    treated_at_risk: int
    control_at_risk: int


def log_e(breaks: Iterable[Break], ratios: tuple[float, ...] = RATIOS) -> float:
    """Logarithm of the e-value against "treated devices do not break sooner than control devices"."""
    logs = [0.0] * len(ratios)
    for each in breaks:
        at_risk = each.treated_at_risk + each.control_at_risk
        for index, ratio in enumerate(ratios):
            likelihood = ratio if each.treated else 1.0
            logs[index] += math.log(
                likelihood * at_risk / (ratio * each.treated_at_risk + each.control_at_risk)
            )
    highest = max(logs)
    return highest + math.log(sum(math.exp(log - highest) for log in logs) / len(logs))
