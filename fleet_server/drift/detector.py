"""Change detection: which devices are not as they were, and whether that is more than turnover.

Both questions are asked by e-detectors of the CUSUM kind: evidence is multiplied up from the look that makes
it largest, so a change is found whenever it begins, and a false finding comes no sooner than after 1/alpha
looks on average. J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential
change detection", New England Journal of Statistics in Data Science 2 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from fleet_server.drift import turnover, yardstick
from fleet_server.drift.conformal import log_e_values, p_values
from fleet_server.drift.policy import DriftPolicy
from fleet_server.drift.yardstick import Look, Yardstick, phase

Floats = NDArray[np.float64]
Side = Literal["both", "below"]
"""``below``: only what falls matters, as accuracy."""


class Watched(msgspec.Struct, frozen=True):
    """One device."""

    baseline: tuple[Look, ...] = ()
    """How it is, or was until it changed; empty before that is known."""
    learning: bool = True
    fresh: tuple[Look, ...] = ()
    """While it learns: the looks that become its baseline."""
    log_evidence: float = 0.0
    """That it changed."""
    onset_at: float | None = None
    """Begin of the look with which that evidence begins."""

    def learn(self, look: Look, wanted: int) -> Watched:
        """With one more look; the baseline is replaced once there are as many as ``wanted``."""
        fresh = (*self.fresh, look)
        return Watched(baseline=fresh, learning=False) if len(fresh) == wanted else replace(self, fresh=fresh)


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A device that is not as it was."""

    device: str
    since: float
    """Unix time at which the look began with which the evidence of the change begins."""
    deviation: tuple[float, ...]
    """Of the look that told, from its baseline, in the statistics' own units."""


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered of one kind of statistics of one model's devices."""

    side: Side = "both"
    devices: dict[str, Watched] = {}
    log_evidence: float = 0.0
    """That more devices changed than turnover explains."""
    recent: dict[str, Change] = {}
    """The changes that this evidence is made of."""


class Step(NamedTuple):
    """What some looks brought."""

    detector: Detector
    changed: list[Change]
    drifting: bool
    """Whether the fleet is: by the changes in ``detector.recent``."""


def measure(detector: Detector, policy: DriftPolicy) -> Yardstick | None:
    """The yardstick of the baselines that are complete; None when there are too few."""
    complete = [
        watched.baseline
        for _, watched in sorted(detector.devices.items())
        # One that was learned by another policy does not compare.
        if len(watched.baseline) == policy.baseline
    ]
    if len(complete) * policy.baseline < yardstick.MIN_SCORES:
        return None
    return yardstick.make(complete, policy.season_s)


def step(detector: Detector, policy: DriftPolicy, stick: Yardstick | None, looks: Mapping[str, Look]) -> Step:
    """Take in one look each of some devices."""
    devices = dict(detector.devices)
    known = {device: devices.get(device, Watched()) for device in looks}
    watching = [d for d, watched in known.items() if _is_watched(watched, policy)]
    for device in known.keys() - set(watching):
        devices[device] = known[device].learn(looks[device], policy.baseline)
    if stick is None:
        return Step(replace(detector, devices=devices), [], drifting=False)
    changed = _examine(devices, watching, detector.side, policy, stick, looks)
    return _judge(replace(detector, devices=devices), policy, changed, len(watching))


def _is_watched(watched: Watched, policy: DriftPolicy) -> bool:
    return not watched.learning and len(watched.baseline) == policy.baseline


def _examine(
    devices: dict[str, Watched],
    watching: list[str],
    side: Side,
    policy: DriftPolicy,
    stick: Yardstick,
    looks: Mapping[str, Look],
) -> list[Change]:
    """Update the evidence of each device; one that changed begins a new baseline."""
    if not watching:
        return []
    deviations = np.array([_deviation(devices[d].baseline, looks[d], stick, policy) for d in watching])
    scored = np.minimum(deviations, 0.0) if side == "below" else deviations
    evidence = log_e_values(p_values(stick.score(scored, policy.baseline), stick.calm))
    changed = []
    for device, deviation, log_e in zip(watching, deviations, evidence.tolist(), strict=True):
        before = devices[device]
        fresh = before.log_evidence <= 0.0 or before.onset_at is None
        onset = looks[device].begun_at if fresh else before.onset_at
        after = replace(before, log_evidence=max(0.0, before.log_evidence) + log_e, onset_at=onset)
        if after.log_evidence >= -math.log(policy.device_alpha):
            changed.append(Change(device, onset or 0.0, tuple(deviation.tolist())))
            after = Watched(baseline=before.baseline)
        devices[device] = after
    return changed


def _deviation(baseline: tuple[Look, ...], look: Look, stick: Yardstick, policy: DriftPolicy) -> Floats:
    season_s = policy.season_s
    usual = np.mean([np.array(b.values) - stick.season[phase(b, season_s)] for b in baseline], axis=0)
    found: Floats = np.array(look.values) - stick.season[phase(look, season_s)] - usual
    return found


def _judge(detector: Detector, policy: DriftPolicy, changed: list[Change], watching: int) -> Step:
    if not watching:
        return Step(detector, changed, drifting=False)
    before = max(0.0, detector.log_evidence)
    recent = {} if detector.log_evidence <= 0.0 else dict(detector.recent)
    recent |= {change.device: change for change in changed}
    evidence = before + turnover.log_evidence(len(changed), watching, policy.turnover)
    after = replace(detector, log_evidence=evidence, recent=recent)
    return Step(after, changed, drifting=evidence >= -math.log(policy.alpha))
