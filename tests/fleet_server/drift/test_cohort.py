"""Devices that were never like the others."""

import numpy as np

from fleet_server.drift.cohort import MIN_DEVICES, outliers


def fleet(seed: int, devices: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).normal([0, 5, -2], [0.1, 1, 3], (devices, 3))


def test_another_unit_is_found_and_says_in_what() -> None:
    usual = fleet(1)
    usual[7] *= 9.81
    (found,) = outliers(usual)
    assert (found.device, found.statistic) == (7, 1)
    assert found.value == usual[7, 1]
    assert abs(found.median - 5) < 1


def test_a_fleet_of_different_people_has_no_outliers() -> None:
    assert sum(bool(outliers(fleet(seed))) for seed in range(200)) == 0


def test_several_outliers_do_not_hide_each_other() -> None:
    usual = fleet(2)
    usual[:6, 2] += 300.0
    assert {found.device for found in outliers(usual)} == set(range(6))


def test_few_devices_are_not_compared_and_equal_ones_are_alike() -> None:
    assert outliers(np.arange(3.0 * (MIN_DEVICES - 1)).reshape(-1, 3) ** 9) == []
    assert outliers(np.ones((50, 4))) == []
