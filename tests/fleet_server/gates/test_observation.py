"""From windows of two arms to one number a device: what is fair about the comparison."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.gates.observation import Observations, Panel, covariates, observe


def _panel(values: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> Panel:
    devices = len(treated)
    return Panel(values * weights, weights, treated, np.full(devices, np.nan), np.zeros(devices, np.intp))


@given(st.integers(0, 2**32 - 1))
def test_a_change_for_everybody_moves_both_arms_alike_whenever_a_device_was_told(seed: int) -> None:
    """Devices are told at any time and report as often as they like; the world changes as it likes."""
    rng = np.random.default_rng(seed)
    devices, bins = 12, 10
    treated = np.arange(devices) < 8
    world = rng.random(bins)
    weights = rng.integers(1, 50, (devices, bins)).astype(np.float64)
    for device in range(8):
        weights[device, : rng.integers(0, bins)] = 0
    seen = observe(_panel(np.tile(world, (devices, 1)), weights, treated), 1)
    new, old = seen.values[seen.treated].mean(), seen.values[~seen.treated]
    assert old == pytest.approx(np.full(4, new)), "every control device has the treated arm's calendar"


def test_many_late_devices_do_not_make_the_early_ones_calendar_count() -> None:
    """A few devices reported for long in a good world, many for a moment in a bad one."""
    treated = np.array([True] * 10 + [False] * 3)
    world = np.array([0.9] * 9 + [0.4])
    weights = np.full((13, 10), 30.0)
    weights[2:10, :9] = 0
    seen = observe(_panel(np.tile(world, (13, 1)), weights, treated), 10)
    assert seen.values[seen.treated].mean() == pytest.approx((2 * 0.85 + 8 * 0.4) / 10)
    assert seen.values[~seen.treated] == pytest.approx(np.full(3, 0.49))


def test_devices_that_reported_little_or_at_no_common_time_are_left_out() -> None:
    treated = np.array([True, True, False, False, False])
    weights = np.zeros((5, 3))
    weights[0, 1], weights[1, 1] = 50, 5
    weights[2, 1], weights[3, 0], weights[4, 1] = 50, 50, 9
    seen = observe(_panel(np.ones((5, 3)), weights, treated), 10)
    assert seen.treated.tolist() == [True, False], "a control device without a common bin says nothing"


@given(st.integers(2, 30), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_covariates_never_hide_the_strata_and_never_hold_a_nan(devices: int, strata: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    baseline = np.where(rng.random(devices) < 0.3, np.nan, rng.random(devices))
    seen = Observations(
        rng.random(devices), rng.random(devices) < 0.5, baseline, rng.integers(0, strata, devices)
    )
    columns = covariates(seen)
    assert np.isfinite(columns).all()
    assert columns[:, : len(np.unique(seen.stratum))].sum(axis=1).tolist() == [1.0] * devices
