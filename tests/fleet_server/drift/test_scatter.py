"""The shrunken precision matrix."""

import numpy as np
import pytest

from fleet_server.drift.scatter import precision

NO_LEAST = np.zeros(3)


def test_with_many_looks_it_is_the_inverse_covariance() -> None:
    rng = np.random.default_rng(1)
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.1]])
    deviations = rng.normal(size=(200_000, 3)) @ mixing
    wanted = np.linalg.inv(mixing.T @ mixing)
    assert np.allclose(precision(deviations, NO_LEAST), wanted, rtol=0.05, atol=0.5)


def test_with_few_looks_correlations_are_shrunk_and_variances_are_not() -> None:
    rng = np.random.default_rng(2)
    deviations = rng.normal(size=(8, 20))
    found = precision(deviations, np.zeros(20))
    assert np.linalg.eigvalsh(found).min() > 0, "the plain covariance of 8 looks has no inverse"
    independent = rng.normal(size=(50, 20)) * 3.0
    assert np.diag(precision(independent, np.zeros(20))).mean() == pytest.approx(1 / 9, rel=0.4)


def test_it_does_not_depend_on_units() -> None:
    deviations = np.random.default_rng(3).normal(size=(100, 3))
    units = np.array([1.0, 9.81, 1e-4])
    score = np.einsum("np,pq,nq->n", deviations, precision(deviations, NO_LEAST), deviations)
    other = deviations * units
    assert np.allclose(np.einsum("np,pq,nq->n", other, precision(other, NO_LEAST), other), score)


def test_a_statistic_that_never_varied_and_shares_that_add_up_leave_it_finite() -> None:
    rng = np.random.default_rng(4)
    first = rng.normal(size=(60, 1))
    deviations = np.hstack([np.zeros((60, 1)), first, -first])
    found = precision(deviations, np.full(3, 0.01))
    assert np.isfinite(found).all()
    assert found[0, 0] == pytest.approx(1e4)
