"""The tests behind the gates, checked against the numbers that their papers' authors publish."""

import math

import pytest

from fleet_server.gates import betting, hazard, linear, proportion
from fleet_server.gates.hazard import Break
from fleet_server.gates.linear import Fit

#: README of the authors' R package avlm: coefficients of a regression with 92 degrees of freedom and a
#: residual standard error of 1.065, under a mixture of precision 1. Printed to four digits.
AVLM = [
    (0.9163, 0.1586, 5.632e-06, (0.4021, 1.430)),
    (1.8723, 0.1809, 7.565e-15, (1.2921, 2.453)),
    (2.8503, 0.1828, 1.838e-24, (2.2643, 3.436)),
    (2.3224, 0.2157, 1.842e-15, (1.6393, 3.006)),
    (2.2998, 0.2414, 6.110e-13, (1.5404, 3.059)),
    (0.4801, 0.2112, 4.471e-01, (-0.1899, 1.150)),
]


@pytest.mark.parametrize(("effect", "error", "p_value", "bounds"), AVLM)
def test_linear_models_give_the_sequential_p_values_and_intervals_of_lindon_et_al(
    monkeypatch: pytest.MonkeyPatch, effect, error, p_value, bounds
) -> None:
    monkeypatch.setattr(linear, "PRECISIONS", (1.0,))
    fitted = Fit(effect, error, 92, (1.065 / error) ** 2)
    assert -linear.log_e_two_sided(fitted, 0.0) == pytest.approx(math.log(p_value), rel=0.01)
    assert linear.interval(fitted, 0.05) == pytest.approx(bounds, abs=2e-3)


def test_proportion_is_the_one_sided_beta_binomial_mixture_of_howard_et_al() -> None:
    """Unit test of the authors' library confseq: s = 10 at v = 100 for g = 0.2, h = 0.8, tuned for v = 100.

    In their parametrisation n = v / (g h), the sum of n observations is n g + s, and the beta density is
    (r / h, r / g) with r = rho - g h, rho the tuning for alpha = 0.05, one-sided.
    """
    g, h = 0.2, 0.8
    log_alpha = 2 * math.log(1 / 0.1)
    r = 100 / (log_alpha + math.log1p(log_alpha)) - g * h
    assert proportion.log_e(135, 625, g, (r / h, r / g)) == pytest.approx(-0.07134019, abs=1e-7)


def test_one_sided_normal_limit_is_that_of_howard_et_al(monkeypatch: pytest.MonkeyPatch) -> None:
    """confseq: log m(10, 100) = -0.06502391 one-sided and -0.6510052 two-sided, for rho of v = 100.

    With many degrees of freedom the linear model's test is the normal mixture.
    """
    monkeypatch.setattr(linear, "PRECISIONS", (4.0,))
    for alpha, expected, test in [
        (0.1, -0.06502391, linear.log_e_above),
        (0.05, -0.6510052, linear.log_e_two_sided),
    ]:
        log_alpha = 2 * math.log(1 / alpha)
        rho = 100 / (log_alpha + math.log1p(log_alpha))
        information = 100 * 4.0 / rho
        error = 1 / math.sqrt(information)
        fitted = Fit(10 / math.sqrt(100) * error, error, 10**9, information)
        assert test(fitted, 0.0) == pytest.approx(expected, abs=1e-5)


def test_hazard_is_the_likelihood_of_fishers_noncentral_hypergeometric() -> None:
    """The example of safestats' logrankSingleEExact: one event at a time, risk sets given."""
    at_risk = [(5, 5), (4, 5), (3, 4), (3, 2), (2, 2), (1, 0)]
    treated = [False, False, True, False, True, False]
    breaks = [Break(t, y1, y0) for (y0, y1), t in zip(at_risk, treated, strict=True)]
    ratio = 1 / 0.7
    by_hand = 1.0
    for (y0, y1), hit in zip(at_risk, treated, strict=True):
        under = ratio * y1 / (ratio * y1 + y0) if hit else y0 / (ratio * y1 + y0)
        null = y1 / (y1 + y0) if hit else y0 / (y1 + y0)
        by_hand *= under / null
    assert hazard.log_e(breaks, (ratio,)) == pytest.approx(math.log(by_hand))


def test_betting_is_a_martingale_at_its_limit() -> None:
    """Fairness, exactly: over all outcomes of a coin that lands at the limit, the capital's mean stays 1."""
    limit, tosses = 0.3, 8
    mean = 0.0
    for outcome in range(2**tosses):
        faces = [float(outcome >> index & 1) for index in range(tosses)]
        chance = math.prod(limit if face else 1 - limit for face in faces)
        mean += chance * math.exp(betting.log_e(faces, limit, 0.05))
    assert mean == pytest.approx(1.0)


def test_proportion_and_hazard_are_martingales_too() -> None:
    """The mean e-value over all outcomes at the limit; the mixtures are one-sided, so it is exactly 1."""
    limit, devices = 0.05, 40
    mean = sum(
        math.comb(devices, k)
        * limit**k
        * (1 - limit) ** (devices - k)
        * math.exp(proportion.log_e(k, devices, limit))
        for k in range(devices + 1)
    )
    assert mean == pytest.approx(1.0)
    hit = math.exp(hazard.log_e([Break(True, 7, 3)])) * 0.7
    missed = math.exp(hazard.log_e([Break(False, 7, 3)])) * 0.3
    assert hit + missed == pytest.approx(1.0)
