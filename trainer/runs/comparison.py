"""Whether one run is better than another on the same held-out windows.

Windows of one group (a person, a machine) stand and fall together, so the group is the unit: the
difference in accuracy is taken within each group, and a paired t interval is laid around the mean of those
differences. With several runs against the first the level of each is raised (Bonferroni), so that all
intervals hold together with the stated confidence. A bootstrap over groups was not used: with three
groups it has ten distinct outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from trainer.runs.answers import Answers
from wire.errors import InputError

CONFIDENCE: Final = 0.95
FEWEST_GROUPS: Final = 3
"""For an interval: of two groups it says nothing."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One run against the first."""

    run: str
    accuracy: float
    """Mean over the held-out groups, each counting the same; so is everything below."""
    difference: float
    """Accuracy above the first's."""
    low: float | None
    """Of the interval; None with too few groups."""
    high: float | None
    by_group: dict[str, float]
    """The difference in each."""
    windows_changed: int
    """That were right in one and wrong in the other."""
    verdict: str
    """In words."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Runs against the first of them."""

    first: str
    accuracy: float
    windows: int
    groups: int
    confidence: float
    """That all intervals hold, under normal differences between groups."""
    others: list[Compared]


def compare(runs: Sequence[Answers]) -> Comparison:
    """Two runs or more; InputError when they were not held out from the same windows."""
    if len(runs) < 2:
        raise InputError("one_run", "there is nothing to compare with", "give two runs or more")
    first, *others = runs
    for other in others:
        if other.windows != first.windows:
            raise InputError(
                "other_windows",
                f"{first.folder} and {other.folder} were not scored on the same held-out windows",
                "compare runs of one task and split",
            )
    groups = [str(group) for group in np.unique(first.group)]
    alpha = (1 - CONFIDENCE) / len(others)
    return Comparison(
        first=str(first.folder),
        accuracy=float(np.mean([first.right[first.group == group].mean() for group in groups])),
        windows=len(first.right),
        groups=len(groups),
        confidence=CONFIDENCE,
        others=[_against(first, other, groups, alpha) for other in others],
    )


def _against(first: Answers, other: Answers, groups: Sequence[str], alpha: float) -> Compared:
    gains = {
        group: float(other.right[at].mean() - first.right[at].mean())
        for group in groups
        for at in [first.group == group]
    }
    values = np.array(list(gains.values()))
    low, high = interval(values, alpha)
    return Compared(
        run=str(other.folder),
        accuracy=float(np.mean([other.right[other.group == group].mean() for group in groups])),
        difference=float(values.mean()),
        low=low,
        high=high,
        by_group=gains,
        windows_changed=int(np.count_nonzero(first.right != other.right)),
        verdict=_words(first, other, float(values.mean()), low, high, len(groups)),
    )


def interval(differences: np.ndarray, alpha: float) -> tuple[float | None, float | None]:
    """Student's paired interval of level 1 - alpha around the mean; None with fewer than three."""
    if len(differences) < FEWEST_GROUPS:
        return None, None
    from scipy import stats

    half = stats.t.ppf(1 - alpha / 2, len(differences) - 1) * differences.std(ddof=1)
    half /= np.sqrt(len(differences))
    mean = differences.mean()
    return float(mean - half), float(mean + half)


def _words(
    first: Answers, other: Answers, mean: float, low: float | None, high: float | None, groups: int
) -> str:
    a, b = first.folder, other.folder
    if np.array_equal(first.answer, other.answer):
        return f"{b} gives the same answer as {a} to every window"
    by = f"{abs(mean) * 100:.1f} points"
    side = "better" if mean >= 0 else "worse"
    if low is None or high is None:
        return f"{b} is {side} by {by} on {groups} groups, too few to say more"
    if low > 0:
        return f"{b} is better than {a} by {by} (between {low * 100:.1f} and {high * 100:.1f})"
    if high < 0:
        return f"{b} is worse than {a} by {by} (between {-high * 100:.1f} and {-low * 100:.1f})"
    return (
        f"{b} and {a} cannot be told apart on {groups} groups: {side} by {by} "
        f"(between {low * 100:+.1f} and {high * 100:+.1f})"
    )
