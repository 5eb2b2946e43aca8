"""From telemetry to panels, and from boots and silence to breaks."""

import math

import numpy as np
import pytest

from fleet_server.gates.cell import BASELINE, Bin, Cell, Member, bin_of, panels
from fleet_server.gates.hazard import Break
from fleet_server.gates.lifeline import Lifeline, breaks
from fleet_server.gates.metric import Sums
from tests.wire.samples import TELEMETRY


def test_windows_add_up_and_the_order_does_not_matter() -> None:
    import msgspec

    other = msgspec.structs.replace(TELEMETRY, n=40, errors=2, labelled=20, correct=5, classes=[1, 2, 3, 4])
    one = Cell().add(TELEMETRY, 95).add(other, 95)
    two = Cell().add(other, 95).add(TELEMETRY, 95)
    assert one.sums["accuracy"] == two.sums["accuracy"] == (TELEMETRY.correct + 5, TELEMETRY.labelled + 20)
    assert one.classes == two.classes
    assert one.sums["latency"].total == pytest.approx(two.sums["latency"].total)


def test_a_device_is_compared_with_its_own_past() -> None:
    members = {"a": Member(True, 0), "b": Member(False, 0)}
    before = Cell({"accuracy": Sums(80.0, 100.0)}, (50, 50))
    during = Cell({"accuracy": Sums(30.0, 60.0)}, (60, 0))
    found = panels(members, {Bin("a", BASELINE): before, Bin("a", 3): during, Bin("b", 3): during})
    assert found["accuracy"].totals.tolist() == [[30.0], [30.0]]
    assert found["accuracy"].baseline[0] == 0.8
    assert math.isnan(found["accuracy"].baseline[1])
    assert found["classes"].totals.tolist() == [[30.0], [0.0]], "half the answers moved; no past, no distance"
    assert found["classes"].weights.tolist() == [[60.0], [0.0]]
    assert "energy" not in found


def test_everything_before_the_rollout_is_the_baseline() -> None:
    assert bin_of(99.9, 100.0, 10.0) == BASELINE
    assert (bin_of(100.0, 100.0, 10.0), bin_of(125.0, 100.0, 10.0)) == (0, 2)


def test_a_restart_and_a_silence_are_breaks_with_those_at_risk() -> None:
    new, old = Member(True, 0), Member(False, 0)
    restarted = Lifeline(entered_at=0, last_at=10, boot="1").seen("2", 20.0).seen("2", 95.0)
    silent = Lifeline(entered_at=5, last_at=30, boot="1")
    well = Lifeline(entered_at=0, last_at=100, boot="1")
    late = Lifeline(entered_at=90, last_at=100, boot="1")
    found = breaks([(new, restarted), (old, silent), (old, well), (new, late)], until=100, silent_s=40)
    assert found == (Break(True, 1, 2), Break(False, 0, 2))


def test_who_breaks_at_once_was_at_risk() -> None:
    life = Lifeline(entered_at=50, last_at=50, boot="1", broke_at=50)
    assert breaks([(Member(True, 0), life)], until=51, silent_s=9) == (Break(True, 1, 0),)


def test_panels_of_nobody_are_empty() -> None:
    assert panels({}, {}) == {}
    assert np.array_equal(Cell().classes, ())
