"""Whether int8 may ship: float against int8 on the same samples, with the evidence.

Rule ``point`` refuses when the measured loss is over the limit. Rule ``interval`` refuses unless the
loss is *shown* to be within it: the 95 % interval's upper end must be. The first never refuses a sound
model for want of samples, and says so instead; the second is for those who have enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import metrics, paired
from converter.metrics import Metric, Values
from wire.errors import RefusedError
from wire.states import NumericsFamily

Rule = Literal["point", "interval"]
_DIGITS: Final = 6
"""Of every figure: the last bits may differ between processors, digests must not."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Float against int8 in one numerics family. ``drop`` = float32 - int8; positive is a loss."""

    n: int
    float32: float
    int8: float
    drop: float
    low: float
    high: float
    """Ends of the interval for ``drop``."""
    method: str
    lost: int | None = None
    """Samples that only float has right; of classes only."""
    gained: int | None = None
    """Samples that only int8 has right."""
    p: float | None = None
    """Exact McNemar, two-sided, that neither is more often right."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate looked at and what it says."""

    metric: Metric
    rule: Rule
    max_drop: float
    confidence: float = paired.CONFIDENCE
    families: dict[NumericsFamily, Comparison]
    worst: NumericsFamily
    """The family that decides: by ``drop``, or by ``high`` under the rule ``interval``."""
    passed: bool
    shown: bool
    """Whether even the interval's upper end is within the limit, in every family."""


def compare(metric: Metric, truth: NDArray[np.int64], floats: Values, int8: Values) -> Comparison:
    """Paired comparison; all (n,). InputError when the classes do not suit the metric."""
    metrics.check_truth(metric, truth)
    first, second = metrics.figure(metric, floats, truth), metrics.figure(metric, int8, truth)
    lost = gained = p = None
    if metric != "auc":
        lost = int(((floats == truth) & (int8 != truth)).sum())
        gained = int(((floats != truth) & (int8 == truth)).sum())
        p = _rounded(paired.mcnemar_exact(lost, gained))
    interval, method = _interval(metric, truth, floats, int8, (lost or 0, gained or 0))
    return Comparison(
        n=len(truth),
        float32=_rounded(first),
        int8=_rounded(second),
        drop=_rounded(first - second),
        low=_rounded(interval.low),
        high=_rounded(interval.high),
        method=method,
        lost=lost,
        gained=gained,
        p=p,
    )


def _interval(
    metric: Metric, truth: NDArray[np.int64], floats: Values, int8: Values, discordant: tuple[int, int]
) -> tuple[paired.Interval, str]:
    if metric == "top1":
        return paired.tango_interval(*discordant, len(truth)), "Tango 1998, score"
    if metric == "auc":
        scores = floats.astype(np.float64), int8.astype(np.float64)
        return paired.delong_interval(*scores, truth == 1), "DeLong 1988"
    cells = np.stack([truth, floats.astype(np.int64), int8.astype(np.int64)], axis=1)
    classes = int(cells.max()) + 1

    def loss(distinct: paired.Ints, counts: paired.Floats) -> paired.Floats:
        y, first, second = distinct.T
        return paired.macro_f1(y, first, counts, classes) - paired.macro_f1(y, second, counts, classes)

    words = f"paired bootstrap, {paired.RESAMPLES} resamples, seed {paired.SEED}"
    return paired.bootstrap_interval(cells, loss), words


def judge(
    metric: Metric, rule: Rule, max_drop: float, families: Mapping[NumericsFamily, Comparison]
) -> Verdict:
    """The verdict by the worst of ``families`` (not empty). A loss equal to the limit is allowed."""
    worst = max(families, key=lambda family: _decisive(rule, families[family]))
    return Verdict(
        metric=metric,
        rule=rule,
        max_drop=max_drop,
        families=dict(families),
        worst=worst,
        passed=_decisive(rule, families[worst]) <= max_drop,
        shown=all(found.high <= max_drop for found in families.values()),
    )


def check(verdict: Verdict, kind: str = "int8") -> None:
    """RefusedError with the figures when the verdict is against shipping a file of this ``kind``."""
    if verdict.passed:
        return
    worst = verdict.families[verdict.worst]
    span = f"{worst.drop:.3f} [{worst.low:.3f}, {worst.high:.3f}] of the float {verdict.metric}"
    if worst.drop > verdict.max_drop:
        raise RefusedError(
            "accuracy_drop",
            f"{kind} ({verdict.worst}) loses {span}, more than {verdict.max_drop:.3f}",
            "calibrate with more varied samples, train with --qat, try --activations auto, or allow it with "
            "--max-drop",
        )
    raise RefusedError(
        "accuracy_not_shown",
        f"{kind} ({verdict.worst}) loses {span}: {worst.n} samples do not show that it is "
        f"within {verdict.max_drop:.3f}",
        "evaluate on more samples, or use --gate point",
    )


def _decisive(rule: Rule, found: Comparison) -> float:
    return found.high if rule == "interval" else found.drop


def _rounded(value: float) -> float:
    return round(value, _DIGITS) + 0.0
