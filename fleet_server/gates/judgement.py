"""What the gates say of a rollout: pass, fail or not yet, with the numbers and in words.

Each gate is tested at its own share of the promised alpha (Bonferroni, by weight, over the gates that the
policy switches on). Every test is anytime-valid, so the sum holds over all gates and all looks together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from fleet_server.gates import betting, comparison, hazard, proportion
from fleet_server.gates.evidence import Broke, Compared, Disagreed, Evidence, Failed
from fleet_server.gates.policy import Comparison, Gates, Hazard, Limit
from fleet_server.gates.verdict import Outcome, Verdict

#: An e-value of nought, in JSON.
_LEAST_LOG_E: Final = -1e6


class Judgement(Verdict, frozen=True, kw_only=True):
    """A verdict with the numbers behind it."""

    level: float
    """The gate's share of alpha."""
    log_e: float
    """Logarithm of the e-value for harm; a failure from log(1 / level) on."""
    log_e_safe: float | None = None
    """The same for the absence of harm; a pass from log(1 / level) on."""
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    """Confidence sequence of the estimate, each bound at ``level`` (at half of it for two-sided gates).
    None for a bound of which nothing is known yet: JSON has no infinity."""
    treated: int = 0
    """Devices with the new version that it is about."""
    control: int = 0


def levels(gates: Gates) -> dict[str, float]:
    """Each gate's share of alpha: fixed by the policy, whatever the devices report."""
    weights = {name: setting.weight for name, setting in settings(gates).items()}
    return {name: gates.alpha * weight / sum(weights.values()) for name, weight in weights.items()}


def settings(gates: Gates) -> dict[str, Comparison | Limit | Hazard]:
    """The gates that are switched on, by name."""
    fields = {name: getattr(gates, name) for name in gates.__struct_fields__}
    return {name: value for name, value in fields.items() if isinstance(value, Comparison | Limit | Hazard)}


def judge(gates: Gates, evidence: Sequence[Evidence]) -> list[Judgement]:
    """What each gate says that there is evidence for and that is switched on."""
    chosen, shares = settings(gates), levels(gates)
    return [
        _judge_one(gates, chosen[item.gate], shares[item.gate], item)
        for item in evidence
        if item.gate in chosen
    ]


def _judge_one(
    gates: Gates, setting: Comparison | Limit | Hazard, level: float, evidence: Evidence
) -> Judgement:
    match evidence, setting:
        case Compared(), Comparison():
            return _compare(gates, setting, level, evidence)
        case Failed(), Limit():
            return _limit_failures(setting, level, evidence)
        case Broke(), Hazard():
            return _compare_breaks(level, evidence)
        case Disagreed(), Limit():
            return _limit_disagreement(setting, level, evidence)
    raise TypeError(f"{type(evidence).__name__} is no evidence for a {type(setting).__name__}")


def _compare(gates: Gates, setting: Comparison, level: float, evidence: Compared) -> Judgement:
    treated, control = evidence.observations.arms
    found = comparison.compare(evidence, setting, level, gates.min_devices)
    if found is None:
        reason = f"{treated} new and {control} control devices have reported enough, too few to compare"
        return Judgement(
            gate=evidence.gate, outcome="not_yet", reason=reason, need=setting.need, level=level,
            log_e=0.0, treated=treated, control=control,
        )  # fmt: skip
    return Judgement(
        gate=evidence.gate,
        outcome=_outcome(found.log_e_harm, found.log_e_safe, level),
        reason=comparison.describe(evidence.gate, found, setting, treated, control),
        need=setting.need,
        level=level,
        log_e=_finite(found.log_e_harm),
        log_e_safe=_finite(found.log_e_safe),
        estimate=found.effect,
        interval=(_bound(found.interval[0]), _bound(found.interval[1])),
        treated=treated,
        control=control,
    )


def _limit_failures(setting: Limit, level: float, evidence: Failed) -> Judgement:
    log_e = proportion.log_e(evidence.failed, evidence.exposed, setting.rate)
    return Judgement(
        gate=evidence.gate,
        outcome=_outcome(log_e, None, level),
        reason=f"{evidence.failed} of {evidence.exposed} exposed devices failed, "
        f"tolerated {setting.rate:.2%}",
        level=level,
        log_e=_finite(log_e),
        estimate=evidence.failed / evidence.exposed if evidence.exposed else None,
        treated=evidence.exposed,
    )


def _compare_breaks(level: float, evidence: Broke) -> Judgement:
    log_e = hazard.log_e(evidence.breaks)
    treated = sum(each.treated for each in evidence.breaks)
    control = len(evidence.breaks) - treated
    return Judgement(
        gate=evidence.gate,
        outcome=_outcome(log_e, None, level),
        reason=f"{treated} new and {control} control devices restarted or fell silent",
        level=level,
        log_e=_finite(log_e),
        treated=treated,
        control=control,
    )


def _limit_disagreement(setting: Limit, level: float, evidence: Disagreed) -> Judgement:
    shares = evidence.shares
    log_e = betting.log_e(shares, setting.rate, level)
    mean = sum(shares) / len(shares) if shares else None
    return Judgement(
        gate=evidence.gate,
        outcome=_outcome(log_e, None, level),
        reason=f"old and new version disagree on {mean or 0:.1%} of the shadow inferences of "
        f"{len(shares)} devices, tolerated {setting.rate:.1%}",
        level=level,
        log_e=_finite(log_e),
        estimate=mean,
        treated=len(shares),
    )


def _outcome(log_e_harm: float, log_e_safe: float | None, level: float) -> Outcome:
    threshold = math.log(1 / level)
    if log_e_harm >= threshold:
        return "fail"
    return "pass" if log_e_safe is not None and log_e_safe >= threshold else "not_yet"


def _finite(log_e: float) -> float:
    return max(log_e, _LEAST_LOG_E)


def _bound(value: float) -> float | None:
    return value if math.isfinite(value) else None
