"""Paired statistics against published examples, scipy and brute force."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from converter import paired


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 7), (7, 1), (150, 86), (5, 5), (0, 9)])
def test_mcnemar_is_the_binomial_test(lost: int, gained: int):
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert paired.mcnemar_exact(lost, gained) == pytest.approx(expected, rel=1e-12)


def test_tango_is_the_published_interval():
    # Airway reactivity before and after transplantation (a=1, b=1, c=7, d=12), as computed in
    # Fagerland, Lydersen and Laake 2014.
    low, high = paired.tango_interval(1, 7, 21)
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize(("b", "c", "n"), [(1, 7, 21), (12, 2, 44), (0, 3, 50), (53, 16, 1000), (4, 9, 13)])
def test_tango_equals_the_closed_form(b: int, c: int, n: int):
    # The quartic of Yang, Sun and Hardin, Statistics in Medicine 32 (2013) 1336.
    g = stats.norm.ppf(0.975) ** 2
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * (b - c) * (n / g + 1) * (4 * n / g + 1),
        2 * n * (b - c) ** 2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
        n * (b - c) * (2 * (b + c) / g + 1) - (b - c) ** 3 * (4 * n / g + 1) / g,
        (b - c) ** 2 * ((b - c) ** 2 / g - (b + c)) / g,
    ]
    roots = np.roots(quartic)
    real = roots[np.abs(roots.imag) < 1e-6].real
    assert paired.tango_interval(b, c, n) == pytest.approx((real.min(), real.max()), abs=1e-6)


def test_tango_without_discordant_pairs_still_has_a_width():
    z2 = stats.norm.ppf(0.975) ** 2
    assert paired.tango_interval(0, 0, 100) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)))


@pytest.mark.parametrize(("lost", "gained", "n"), [(3, 9, 40), (0, 0, 5), (5, 0, 5), (20, 20, 50)])
def test_tango_is_symmetric_and_holds_the_estimate(lost: int, gained: int, n: int):
    low, high = paired.tango_interval(lost, gained, n)
    assert (-high, -low) == pytest.approx(paired.tango_interval(gained, lost, n))
    assert -1 <= low <= (lost - gained) / n <= high <= 1


@pytest.fixture
def scored():
    dice = np.random.default_rng(1)
    positive = dice.random(80) < 0.4
    first = positive + dice.normal(0, 1, 80)
    return positive, first, np.round(first + dice.normal(0, 0.6, 80), 1)


def test_auc_is_sklearns(scored):
    positive, first, coarse = scored
    for scores in (first, coarse):
        assert paired.auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_delong_is_its_definition(scored):
    positive, *both = scored
    kernels = []
    for scores in both:
        ones, zeros = scores[positive][:, None], scores[~positive][None]
        kernels.append((ones > zeros) + 0.5 * (ones == zeros))
    s10 = np.cov([k.mean(axis=1) for k in kernels]) / positive.sum()
    s01 = np.cov([k.mean(axis=0) for k in kernels]) / (~positive).sum()
    total, contrast = s10 + s01, np.array([1, -1])
    reach = stats.norm.ppf(0.975) * math.sqrt(contrast @ total @ contrast)
    difference = kernels[0].mean() - kernels[1].mean()
    expected = (difference - reach, difference + reach)
    assert paired.delong_interval(*both, positive) == pytest.approx(expected)


def test_macro_f1_is_sklearns():
    dice = np.random.default_rng(2)
    truth, answered = dice.integers(0, 5, 300), dice.integers(0, 4, 300)
    found = paired.macro_f1(truth, answered, np.ones(300), 5)
    assert found == pytest.approx(f1_score(truth, answered, average="macro"))


def test_the_bootstrap_of_a_mean_loss_agrees_with_the_score_interval():
    cells = np.repeat(np.array([[1, 1], [1, 0], [0, 1], [0, 0]]), [850, 53, 16, 81], axis=0)
    found = paired.bootstrap_interval(cells, lambda cell, counts: counts @ (cell[:, 0] - cell[:, 1]) / 1000)
    assert found == pytest.approx(paired.tango_interval(53, 16, 1000), abs=0.004)
    assert found == paired.bootstrap_interval(
        cells, lambda cell, counts: counts @ (cell[:, 0] - cell[:, 1]) / 1000
    )


def test_the_score_interval_covers_as_often_as_it_says():
    dice = np.random.default_rng(3)
    draws = dice.multinomial(200, [0.04, 0.02, 0.94], size=2000)
    inside = [low <= 0.02 <= high for low, high in (paired.tango_interval(b, c, 200) for b, c, _ in draws)]
    assert 0.93 <= np.mean(inside) <= 0.97
