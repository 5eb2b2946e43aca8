"""Ranks make p-values, and these e-values, that promise no more than they keep."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.drift.conformal import log_e_values, p_values


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_p_values_of_exchangeable_scores_are_uniform_or_larger(scores: list[int]) -> None:
    """Each of the scores in turn as the new one: P(p <= k/n) <= k/n whatever the ties."""
    n = len(scores)
    found = []
    for place, score in enumerate(scores):
        calm = np.sort(np.array(scores[:place] + scores[place + 1 :], float))
        found.append(float(p_values(np.array([float(score)]), calm)[0]))
    for k in range(1, n + 1):
        assert sum(p <= k / n + 1e-12 for p in found) <= k


@pytest.mark.parametrize("n", [10, 101, 1000])
def test_the_e_value_of_a_rank_expects_at_most_one(n: int) -> None:
    ranks = np.arange(1, n + 1) / n
    assert np.exp(log_e_values(ranks)).mean() <= 1.0


def test_e_values_are_the_papers_mixture() -> None:
    """The mean of k p^(k-1) over k in (0, 1), by quadrature."""
    k = (np.arange(20_000) + 0.5) / 20_000
    for p in (1e-6, 0.003, 0.2, 0.9, 0.9989, 0.9995, 1.0):
        mixture = (k * p ** (k - 1)).mean()
        assert math.exp(log_e_values(np.array([p]))[0]) == pytest.approx(mixture, rel=1e-3)


def test_with_few_calm_scores_nothing_is_very_strange() -> None:
    few, many = np.arange(9.0), np.arange(999.0)
    strange = np.array([1e9])
    assert p_values(strange, few)[0] == pytest.approx(0.1)
    assert p_values(strange, many)[0] == pytest.approx(0.001)
