"""A metric of treated devices beside that of control devices: how much worse, and how sure that is."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, cast

from fleet_server.gates import linear
from fleet_server.gates.evidence import Compared
from fleet_server.gates.linear import Fit
from fleet_server.gates.metric import METRICS, GateName, Metric
from fleet_server.gates.observation import covariates
from fleet_server.gates.policy import Comparison

_BY_NAME: Final = {metric.name: metric for metric in METRICS}

#: The end of float's exponents.
_MOST_LOG: Final = 700.0


class Found(NamedTuple):
    """Effects are positive where the new version is worse; those of logarithmic metrics are ratios - 1."""

    effect: float
    interval: tuple[float, float]
    log_e_harm: float
    """Against "no worse than the margin allows"."""
    log_e_safe: float
    """Against "worse than the margin allows"."""


def compare(evidence: Compared, setting: Comparison, level: float, min_devices: int) -> Found | None:
    """None while an arm has fewer than ``min_devices``, or nothing can be told from what there is."""
    observations, metric = evidence.observations, _BY_NAME[evidence.gate]
    if min(observations.arms) < min_devices:
        return None
    fitted = linear.fit(
        metric.worse * observations.values, observations.treated, covariates(observations), metric.floor
    )
    if fitted is None:
        return None
    margin = math.log1p(setting.margin) if metric.logarithmic else setting.margin
    # A bound that is broken in one direction only may use up the level in that direction.
    low, high = linear.interval(fitted, 2 * level if setting.side == "worse" else level)
    return Found(
        _linear(metric, fitted.effect),
        (_linear(metric, low), _linear(metric, high)),
        _harm(fitted, margin, setting),
        _safety(fitted, margin, setting),
    )


def describe(gate: str, found: Found, setting: Comparison, treated: int, control: int) -> str:
    """Such as "9.8 points worse on 21 new than on 6 control devices (between ...)"."""
    metric = _BY_NAME[cast(GateName, gate)]
    unit = "%" if metric.logarithmic else " points"
    size = _percent(abs(found.effect))
    sense = "worse" if found.effect > 0 else "better"
    how = "the same" if size == "0.0" else f"{size}{unit} {sense}"
    than = f"on {treated} new {'as' if size == '0.0' else 'than'} on {control} control devices"
    # A share cannot move by more than all of it, whatever a bound that assumes normality says.
    most = math.inf if metric.logarithmic else 1.0
    low, high = (_bound(max(-most, min(most, bound))) for bound in found.interval)
    return f"{how} {than} (between {low} and {high}), tolerated are {_percent(setting.margin)}{unit}"


def _bound(share: float) -> str:
    if not math.isfinite(share):
        return "anything"
    return f"{_percent(abs(share))} {'worse' if share > 0 else 'better'}"


def _percent(share: float) -> str:
    """With as many digits as it deserves."""
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 20 else f"{percent:.1f}"


def _harm(fitted: Fit, margin: float, setting: Comparison) -> float:
    worse = linear.log_e_above(fitted, margin)
    if setting.side == "worse":
        return worse
    # Two tests at half the level: each e-value counts half.
    return max(worse, linear.log_e_below(fitted, -margin)) - math.log(2)


def _safety(fitted: Fit, margin: float, setting: Comparison) -> float:
    safe = linear.log_e_below(fitted, margin)
    return safe if setting.side == "worse" else min(safe, linear.log_e_above(fitted, -margin))


def _linear(metric: Metric, effect: float) -> float:
    if not metric.logarithmic or not math.isfinite(effect):
        return effect
    return math.expm1(min(effect, _MOST_LOG))
