"""Estimates against the published rows, errors on held-out rows, and no estimate without data."""

import subprocess
import sys

import numpy as np
import pytest

from converter import calibration, held_out, latency, rates
from converter.calibration import Row
from converter.macs import Work

KWS = calibration.load().models["kws"]


def test_the_fit_finds_costs_that_made_the_rows():
    truth = rates.Costs(conv=1.5, dense=2.5, output=40.0)
    works = calibration.load().models
    rows = [
        Row(core, core, name, work, pace * truth.cycles(work))
        for core, pace in (("a", 1.0), ("b", 4.0))
        for name, work in works.items()
    ]
    found = rates.fit(rows)
    for core, pace in (("a", 1.0), ("b", 4.0)):
        expected = [pace * cost for cost in (truth.conv, truth.dense, truth.output)]
        assert np.allclose([found[core].conv, found[core].dense, found[core].output], expected)
    assert held_out.fitted(rows).worst < 1e-9
    assert held_out.by_model([row for row in rows if row.model != "ad"]).worst < 1e-3


@pytest.mark.parametrize("stack", latency.PREFERRED)
def test_costs_are_not_negative_and_rows_are_met(stack: str):
    rows = calibration.rows(stack)
    for costs in rates.fit(rows).values():
        assert min(costs.conv, costs.dense, costs.output) >= 0
    assert held_out.fitted(rows).median < 0.1
    assert held_out.fitted(rows).worst < 0.25


def test_an_estimate_names_its_stack_and_holds_the_published_figure():
    known = latency.estimate(KWS, "cortex-m4", 120)
    assert isinstance(known, latency.Estimate)
    assert known.stack == "hale-1.2"
    assert known.low_ms <= 1000 / 16.623 <= known.high_ms
    reference = latency.estimate(KWS, "cortex-m4", 120, "tflm-reference")
    assert isinstance(reference, latency.Estimate)
    assert reference.latency_ms == pytest.approx(181.9, rel=0.06)
    assert known.median_error < known.worst_error


def test_half_the_clock_takes_twice_as_long():
    slow, fast = (latency.estimate(KWS, "cortex-m33", mhz) for mhz in (80, 160))
    assert isinstance(slow, latency.Estimate)
    assert isinstance(fast, latency.Estimate)
    assert slow.latency_ms == pytest.approx(2 * fast.latency_ms, rel=1e-3)


def test_there_is_no_estimate_without_data():
    for core, stack in (
        ("xtensa-lx7", None),
        ("linux-aarch64", None),
        ("cortex-m0plus", "cube-ai-9.0"),
        ("cortex-m4", "mine"),
    ):
        found = latency.estimate(KWS, core, 240, stack)
        assert isinstance(found, latency.NoEstimate)
        assert core in found.reason
    assert isinstance(latency.estimate(Work(elements=10), "cortex-m4", 64), latency.NoEstimate)


def test_held_out_rows_are_not_fitted():
    rows = [row for row in calibration.rows("hale-1.2") if row.core != "cortex-m0plus"]
    assert held_out.by_model(rows).worst > held_out.fitted(rows).worst
    assert held_out.by_board(calibration.rows("cube-ai-9.0")) is None


def test_the_module_prints_the_tables():
    done = subprocess.run(
        [sys.executable, "-m", "converter.latency"], capture_output=True, text=True, check=True, timeout=60
    )
    assert latency.costs_table() in done.stdout
    assert latency.errors_table() in done.stdout
    assert done.stderr == ""
