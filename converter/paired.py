"""Statistics of two models on the same samples. Pure; the second model's loss is the difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2000
SEED: Final = 0
_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_STEPS: Final = 60
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Interval(NamedTuple):
    """Two-sided, of confidence ``CONFIDENCE``."""

    low: float
    high: float


def mcnemar_exact(lost: int, gained: int) -> float:
    """Two-sided p that both models are equally often right, from the discordant pairs alone.

    Q. McNemar, Psychometrika 12 (1947) 153; exact binomial form, A. Agresti, *Categorical Data
    Analysis*, 10.1.
    """
    trials = lost + gained
    tail: int = sum(math.comb(trials, k) for k in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / (1 << trials))


def tango_interval(lost: int, gained: int, n: int) -> Interval:
    """Score interval for the loss (lost - gained) / n of paired proportions.

    T. Tango, Statistics in Medicine 17 (1998) 891; recommended by Fagerland, Lydersen and Laake,
    Statistics in Medicine 33 (2014) 2850. No discordant pair still leaves the loss up to z^2 / (n + z^2).
    """
    estimate = (lost - gained) / n
    return Interval(
        -_bound(gained, lost, n, -estimate),
        _bound(lost, gained, n, estimate),
    )


def _bound(lost: int, gained: int, n: int, estimate: float) -> float:
    """The largest loss that the score test does not reject, by bisection."""
    low, high = estimate, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _score(lost, gained, n, middle) >= -_Z:
            low = middle
        else:
            high = middle
    return low


def _score(lost: int, gained: int, n: int, loss: float) -> float:
    """Tango's statistic; the nuisance probability is the constrained maximum likelihood one."""
    linear = -(lost + gained) + (2 * n - (lost - gained)) * loss
    constant = -gained * loss * (1 - loss)
    nuisance = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * nuisance + loss * (1 - loss))
    distance = lost - gained - n * loss
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in order, ties half."""
    of_positives, _ = _placements(scores, positive)
    return float(of_positives.mean())


def delong_interval(first: Floats, second: Floats, positive: NDArray[np.bool_]) -> Interval:
    """Interval for auc(first) - auc(second) of scores on the same samples, both (n,).

    DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837, with the ranks of Sun and Xu,
    IEEE Signal Processing Letters 21 (2014) 1389.
    """
    ones = np.subtract(*(_placements(scores, positive)[0] for scores in (first, second)))
    zeros = np.subtract(*(_placements(scores, positive)[1] for scores in (first, second)))
    reach = _Z * math.sqrt(sum(float(d.var(ddof=1)) / len(d) for d in (ones, zeros) if len(d) > 1))
    return Interval(float(ones.mean()) - reach, float(ones.mean()) + reach)


def _placements(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Each positive's share of negatives below it; each negative's share of positives above it."""
    ones, zeros = scores[positive], scores[~positive]
    below = (
        np.searchsorted(np.sort(zeros), ones, "left") + np.searchsorted(np.sort(zeros), ones, "right")
    ) / 2
    under = (
        np.searchsorted(np.sort(ones), zeros, "left") + np.searchsorted(np.sort(ones), zeros, "right")
    ) / 2
    return below / len(zeros), 1 - under / len(ones)


def bootstrap_interval(cells: Ints, loss: Callable[[Ints, Floats], Floats]) -> Interval:
    """Percentile interval over resamples of whole samples, so that the pairing stays.

    ``cells`` (n, k) are the samples' outcomes; ``loss(distinct cells, counts (resamples, cells))``
    gives one loss a resample. Drawing counts of distinct cells is drawing samples with replacement.
    B. Efron and R. Tibshirani, *An Introduction to the Bootstrap* (1993), 13.3; seeded.
    """
    distinct, counts = np.unique(cells, axis=0, return_counts=True)
    dice = np.random.default_rng(SEED)
    drawn = dice.multinomial(len(cells), counts / len(cells), size=RESAMPLES).astype(np.float64)
    ends = np.quantile(loss(distinct, drawn), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(ends[0]), float(ends[1]))


def macro_f1(truth: Ints, answered: Ints, counts: Floats, classes: int) -> Floats:
    """Mean F1 over the classes that occur in truth or answers; ``counts`` (..., cells) -> (...)."""
    eye = np.eye(classes)
    hits = counts @ (eye[truth] * (truth == answered)[:, None])
    both = counts @ (eye[truth] + eye[answered])
    present = both > 0
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=present)
    means: Floats = f1.sum(axis=-1) / present.sum(axis=-1)
    return means
