"""How real answers vary: the estimators on data whose answer is known, and the shipped figures."""

from pathlib import Path

import numpy as np
import pytest

from tinyfleet.bench import spread, spread_tables, subjects

PAGE = Path(__file__).parents[2] / "docs" / "field-results.md"


@pytest.fixture(scope="module")
def data() -> subjects.Subjects:
    return subjects.load()


def test_icc_finds_the_share_of_variance_between_groups_of_any_size():
    rng = np.random.default_rng(1)
    sizes = rng.integers(5, 40, 3000)
    group = np.repeat(np.arange(3000), sizes)
    values = 2 * rng.normal(size=3000)[group] + 3 * rng.normal(size=len(group))
    assert spread.icc(group, values) == pytest.approx(4 / 13, abs=0.02)
    assert spread.icc(group, rng.normal(size=len(group))) == pytest.approx(0, abs=0.01)


def test_icc_is_one_where_groups_are_all_alike_inside():
    group = np.repeat(np.arange(4), 5)
    assert spread.icc(group, group % 2) == pytest.approx(1)


def test_autocorrelation_never_looks_from_one_group_into_the_next():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(1000), 20)
    values = np.empty(len(group))
    for place, new in enumerate(np.diff(group, prepend=-1) != 0):
        values[place] = rng.normal() if new else 0.8 * values[place - 1] + 0.6 * rng.normal()
    assert spread.autocorrelation(values, group, 3) == pytest.approx((0.8, 0.64, 0.512), abs=0.02)
    # Each group the same value all through: pairs that span two groups would lower it.
    assert spread.autocorrelation(rng.normal(size=1000)[group], group, 1) == pytest.approx((1,), abs=0.03)


def test_every_subject_was_asked_with_models_that_never_saw_it(data: subjects.Subjects):
    asked = [subject for held_out in data.made["folds"] for subject in held_out]
    assert sorted(asked) == sorted(set(data.subject.tolist())) == list(range(1, 11))


def test_recordings_are_whole_and_of_one_subject_and_exercise(data: subjects.Subjects):
    runs = np.flatnonzero(np.diff(data.recording, prepend=-1))
    assert len(runs) == len(np.unique(data.recording)) == 140
    for values in (data.subject, data.label):
        assert not np.diff(values)[np.diff(data.recording) == 0].any()
    pairs, counts = np.unique(np.stack([data.subject[runs], data.label[runs]]), axis=1, return_counts=True)
    assert pairs.shape == (2, 70)
    assert set(counts) == {2}


def test_figures_follow_from_the_answers(data: subjects.Subjects):
    found = spread.describe(data)
    old, new = found.versions["old"], found.versions["new"]
    assert new.accuracy - old.accuracy == pytest.approx(found.only_new_right - found.only_old_right)
    for version, each in enumerate((old, new)):
        right = data.answer[version] == data.label
        assert each.by_subject[3] == pytest.approx(right[data.subject == 3].mean())
        weights = [np.count_nonzero(data.subject == subject) for subject in each.by_subject]
        assert each.accuracy == pytest.approx(np.average(list(each.by_subject.values()), weights=weights))
    assert old.arm_difference == pytest.approx(_arm_difference(data, 0))


def _arm_difference(data: subjects.Subjects, version: int) -> float:
    apart = []
    for subject in range(1, 11):
        for label in range(7):
            mine = (data.subject == subject) & (data.label == label)
            arms = [
                (data.answer[version] == label)[data.recording == each].mean()
                for each in np.unique(data.recording[mine])
            ]
            apart.append(abs(arms[0] - arms[1]))
    return float(np.mean(apart))


def test_boards_take_milliseconds_and_the_slower_clock_longer(data: subjects.Subjects):
    boards = spread.describe(data).latency.boards
    assert set(boards) == {"nucleo-l4r5zi", "nano33ble", "rpi-pico", "nucleo-u575zi"}
    assert boards["rpi-pico"] > boards["nano33ble"] > boards["nucleo-l4r5zi"] > boards["nucleo-u575zi"] > 1000


def test_the_page_shows_the_shipped_figures_and_picture(data: subjects.Subjects):
    assert spread_tables.told(spread.describe(data)) in PAGE.read_text("utf-8")
    image = PAGE.parent / "images" / "field-results.svg"
    assert image.read_text("utf-8") == spread_tables.picture(data)


def test_other_answers_have_another_digest(data: subjects.Subjects):
    answer = data.answer.copy()
    answer[1, 4000] = (answer[1, 4000] + 1) % 7
    assert data._replace(answer=answer).answers_sha256() != data.answers_sha256()
    assert data._replace(latency_us=data.latency_us * 2).answers_sha256() == data.answers_sha256()
