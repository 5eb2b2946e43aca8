"""The gate: what it compares, what it refuses, what it says."""

import numpy as np
import pytest

from converter import gate, metrics
from wire.errors import InputError, RefusedError
from wire.states import NumericsFamily

TFLM, XNNPACK = NumericsFamily.TFLM, NumericsFamily.XNNPACK


def compared(lost: int, gained: int, n: int, metric="top1") -> gate.Comparison:
    truth = np.zeros(n, np.int64)
    floats, int8 = np.zeros(n, np.int64), np.zeros(n, np.int64)
    int8[:lost] = 1
    floats[n - gained :] = 1
    return gate.compare(metric, truth, floats, int8)


def test_discordant_pairs_are_counted():
    found = compared(8, 2, 100)
    assert (found.lost, found.gained, found.n, found.drop) == (8, 2, 100, 0.06)
    assert found.low < found.drop < found.high
    assert found.p == pytest.approx(2 * (1 + 10 + 45) / 1024, abs=1e-6)


def test_point_and_interval_are_different_questions():
    few = {TFLM: compared(1, 0, 50)}
    point = gate.judge("top1", "point", 0.03, few)
    assert (point.passed, point.shown) == (True, False)
    gate.check(point)
    with pytest.raises(RefusedError, match="50 samples do not show") as caught:
        gate.check(gate.judge("top1", "interval", 0.03, few))
    assert caught.value.code == "accuracy_not_shown"
    gate.check(gate.judge("top1", "interval", 0.03, {TFLM: compared(10, 5, 5000)}))


def test_the_worst_family_counts():
    verdict = gate.judge("top1", "point", 0.03, {TFLM: compared(1, 1, 100), XNNPACK: compared(9, 0, 100)})
    assert verdict.worst is XNNPACK
    with pytest.raises(RefusedError, match=r"int8 \(xnnpack\) loses 0\.090") as caught:
        gate.check(verdict)
    assert caught.value.code == "accuracy_drop"


def test_a_drop_equal_to_the_limit_is_allowed():
    gate.check(gate.judge("top1", "point", 0.03, {TFLM: compared(3, 0, 100)}))


@pytest.mark.parametrize("metric", ["top1", "f1"])
def test_the_same_answers_lose_nothing(metric):
    found = compared(0, 0, 30, metric)
    assert (found.drop, found.p) == (0, 1)


def test_auc_of_every_kind_of_output():
    one = np.array([[0.1], [0.9]], np.float32)
    two = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    inputs = np.zeros((2, 4), np.float32)
    rebuilt = np.array([[0, 0, 0, 0], [2, 0, 0, 0]], np.float32)
    for outputs in (one, two, rebuilt):
        seen = metrics.values("auc", inputs, outputs)
        assert metrics.figure("auc", seen, np.array([0, 1])) == 1.0
    with pytest.raises(InputError, match="one or two outputs"):
        metrics.values("auc", inputs, np.zeros((2, 3), np.float32))


def test_auc_of_one_class_is_a_typed_error():
    with pytest.raises(InputError, match="class 0 and of class 1"):
        gate.compare("auc", np.ones(4, np.int64), np.arange(4.0), np.arange(4.0))


def test_auc_evidence_has_no_pairs():
    truth = np.arange(40) % 2
    scores = truth + np.linspace(0, 1.5, 40)
    found = gate.compare("auc", truth, scores, scores.round(0))
    assert found.lost is None
    assert found.p is None
    assert found.low < found.drop < found.high
