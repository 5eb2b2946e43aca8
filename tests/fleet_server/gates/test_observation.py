"""From windows of two arms to one number a device: what is fair about the comparison."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.gates.observation import Observations, Panel, covariates, observe


def _panel(values: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> Panel:
    devices = len(treated)
    return Panel(values * weights, weights, treated, np.full(devices, np.nan), np.zeros(devices, np.intp))


def test_a_change_for_everybody_moves_both_arms_alike_whenever_a_device_was_told() -> None:
    """The world gets 30 points worse in bin 5; the treated devices were told from bin 4 on, one by one."""
    treated = np.array([True] * 6 + [False] * 4)
    world = np.where(np.arange(10) < 5, 0.9, 0.6)
    weights = np.full((10, 10), 30.0)
    for device in range(6):
        weights[device, : 4 + device // 2] = 0
    seen = observe(_panel(np.tile(world, (10, 1)), weights, treated), 10)
    new, old = seen.values[seen.treated].mean(), seen.values[~seen.treated].mean()
    naive = (world * 30.0).sum() / 300 - new
    assert abs(naive) > 0.1, "the calendar matters here"
    pooled = (seen.values[seen.treated] * weights[:6].sum(axis=1)).sum() / weights[:6].sum()
    assert old == pytest.approx(pooled)


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
