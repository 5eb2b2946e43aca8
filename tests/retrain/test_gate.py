"""A candidate replaces the incumbent only when it is as good on the old and better on the new."""

import numpy as np
import pytest

from tinyfleet.retrain.gate import Comparison, check, compare
from wire.errors import RefusedError


def test_the_comparison_is_paired_and_its_error_is_between_groups() -> None:
    rng = np.random.default_rng(1)
    spread, estimates, errors = 0.2, [], []
    for _ in range(300):
        group = np.repeat(np.arange(12), 40)
        # Each person gains or loses as a whole: windows of one person are not independent.
        gain = rng.normal(0.0, spread, 12)[group]
        truth = np.zeros(len(group), np.int64)
        before = (rng.random(len(group)) < 0.5).astype(np.int64)
        after = np.where(rng.random(len(group)) < np.abs(gain), (gain < 0).astype(np.int64), before)
        found = compare(before, after, truth, group.astype(str))
        estimates.append(found.difference)
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)


def test_equal_answers_differ_by_nothing() -> None:
    answers, truth = np.array([0, 1, 2]), np.array([0, 1, 1])
    found = compare(answers, answers, truth, np.array(["a", "b", "b"]))
    assert (found.difference, found.standard_error, found.incumbent) == (0.0, 0.0, pytest.approx(2 / 3))


def comparison(difference: float) -> Comparison:
    return Comparison(
        n=100, groups=5, incumbent=0.5, candidate=0.5 + difference, difference=difference, standard_error=0.01
    )


def test_loss_on_the_old_and_no_gain_on_the_new_are_refused() -> None:
    check(comparison(-0.03), comparison(0.2), max_old_drop=0.03)
    with pytest.raises(RefusedError, match=r"on the old data it is right in 46\.0%"):
        check(comparison(-0.04), comparison(0.2), max_old_drop=0.03)
    with pytest.raises(RefusedError, match=r"on field data it is right in 50\.0%"):
        check(comparison(0.0), comparison(0.0), max_old_drop=0.03)
