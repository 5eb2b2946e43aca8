"""Comparisons: the group is the unit, and the words say no more than the interval."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.runs.answers import Answers, load
from trainer.runs.comparison import compare, interval
from wire.errors import InputError, NotFoundError

GROUPS = np.repeat(["a", "b", "c", "d"], 100)


def answers(name: str, accuracy_by_group: list[float], windows: str = "same", groups=GROUPS) -> Answers:
    right = np.zeros(len(groups), bool)
    for group, share in zip(np.unique(groups), accuracy_by_group, strict=True):
        at = np.flatnonzero(groups == group)
        right[at[: round(share * len(at))]] = True
    return Answers(Path(name), None, windows, right, right.astype(np.int64), groups)


def test_a_difference_in_every_group_is_told_with_its_interval():
    found = compare([answers("A", [0.8, 0.7, 0.9, 0.6]), answers("B", [0.83, 0.74, 0.92, 0.63])])
    (other,) = found.others
    assert other.difference == pytest.approx(0.03)
    assert other.by_group == pytest.approx({"a": 0.03, "b": 0.04, "c": 0.02, "d": 0.03})
    # By hand: the standard deviation of the four is .0081650, and t(.975, 3) = 3.1824.
    assert other.low == pytest.approx(0.03 - 3.1824 * 0.0081650 / 2, abs=1e-5)
    assert other.verdict == "B is better than A by 3.0 points (between 1.7 and 4.3)"


def test_a_gain_of_some_groups_only_cannot_be_told_apart():
    found = compare([answers("A", [0.8, 0.7, 0.9, 0.6]), answers("B", [0.9, 0.65, 0.92, 0.6])])
    assert found.others[0].low < 0 < found.others[0].high
    assert found.others[0].verdict == (
        "B and A cannot be told apart on 4 groups: better by 1.8 points (between -8.2 and +11.7)"
    )


def test_the_same_answers_are_called_so():
    found = compare([answers("A", [0.8, 0.7, 0.9, 0.6]), answers("B", [0.8, 0.7, 0.9, 0.6])])
    assert found.others[0].verdict == "B gives the same answer as A to every window"
    assert found.others[0].windows_changed == 0


def test_two_groups_have_no_interval():
    groups = np.repeat(["a", "b"], 100)
    pair = [answers("A", [0.8, 0.7], groups=groups), answers("B", [0.9, 0.8], groups=groups)]
    other = compare(pair).others[0]
    assert other.low is None
    assert other.verdict == "B is better by 10.0 points on 2 groups, too few to say more"


def test_more_runs_make_wider_intervals():
    runs = [answers("A", [0.8, 0.7, 0.9, 0.6]), answers("B", [0.83, 0.74, 0.92, 0.63])]
    alone, among = compare(runs).others[0], compare([*runs, answers("C", [0.1, 0.2, 0.3, 0.4])]).others[0]
    assert among.low < alone.low
    assert among.high > alone.high


def test_other_windows_are_not_compared():
    with pytest.raises(InputError, match="were not scored on the same held-out windows"):
        compare([answers("A", [0.5] * 4), answers("B", [0.5] * 4, windows="other")])
    with pytest.raises(InputError, match="nothing to compare with"):
        compare([answers("A", [0.5] * 4)])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_the_interval_covers_the_truth_as_often_as_it_says(seed, groups):
    dice = np.random.default_rng(seed)
    covered = 0
    for _ in range(400):
        low, high = interval(dice.normal(0.02, 0.05, groups), 0.05)
        covered += low <= 0.02 <= high
    # 95 % of 400 with a standard error of 1.1 points; five of them.
    assert covered / 400 > 0.895


def test_a_run_without_its_answers_says_so(run_folder, tmp_path):
    kept = load(run_folder)
    assert kept.right.mean() == kept.run.metrics.test_accuracy
    (tmp_path / "run.json").write_bytes((run_folder / "run.json").read_bytes())
    with pytest.raises(NotFoundError, match=r"there is no .*eval\.npz"):
        load(tmp_path)
    np.savez(tmp_path / "eval.npz", x=np.zeros(3))
    with pytest.raises(InputError, match=r"eval\.npz: "):
        load(tmp_path)
