"""Streams of a virtual fleet: reproducible, as varied as real answers; planted changes have their size."""

import numpy as np
import pytest

from tinyfleet.bench import spread, streams, subjects
from tinyfleet.bench.streams import Answers, Lives
from wire.sketch import CONFIDENCE_BINS, confidence_bin

NEW = 1
DEVICES, WINDOWS, PER_WINDOW = 500, 60, 30


@pytest.fixture(scope="module")
def data() -> subjects.Subjects:
    return subjects.load()


@pytest.fixture(scope="module")
def lives(data: subjects.Subjects) -> Lives:
    return streams.live(np.random.default_rng(1), data, DEVICES, WINDOWS * PER_WINDOW)


@pytest.fixture(scope="module")
def answers(data: subjects.Subjects, lives: Lives) -> Answers:
    return streams.answer(data, lives, NEW)


@pytest.fixture(scope="module")
def right(data: subjects.Subjects, lives: Lives, answers: Answers) -> np.ndarray:
    return answers.label == data.label[lives.moment]


def test_a_seed_reproduces_a_fleet(data: subjects.Subjects):
    def whole(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        drawn = streams.live(rng, data, 20, 600)
        worse = streams.worsen(rng, data, drawn, streams.answer(data, drawn, NEW), 0.1)
        return [*drawn, *worse]

    assert all(np.array_equal(a, b) for a, b in zip(whole(5), whole(5), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(whole(5), whole(6), strict=True))


def test_a_device_lives_through_whole_recordings_of_one_person(data: subjects.Subjects, lives: Lives):
    assert (data.subject[lives.moment] == lives.person[:, np.newaxis]).all()
    begins = np.diff(data.recording, prepend=-1) != 0
    ends = np.diff(data.recording, append=-1) != 0
    before, after = lives.moment[:, :-1], lives.moment[:, 1:]
    jumps = after != before + 1
    assert ends[before][jumps].all()
    assert begins[after][jumps].all()
    assert jumps.sum(axis=1).min() > 30, "so many recordings were begun by every device"


def test_devices_are_of_all_people_and_begin_at_any_moment(data: subjects.Subjects):
    drawn = streams.live(np.random.default_rng(2), data, 3000, 1)
    counts = np.unique_counts(drawn.person).counts
    # 300 each are expected, with a standard deviation of 16.
    assert len(counts) == 10
    assert abs(counts - 300).max() < 5 * 16
    begins = np.diff(data.recording, prepend=-1) != 0
    assert begins[drawn.moment[:, 0]].mean() == pytest.approx(begins.mean(), abs=0.015)


def test_each_person_is_as_often_right_as_in_the_data(
    data: subjects.Subjects, lives: Lives, right: np.ndarray
):
    for person in np.unique(data.subject):
        wanted = (data.answer[NEW] == data.label)[data.subject == person].mean()
        of_device = right[lives.person == person].mean(axis=1)
        error = of_device.std(ddof=1) / np.sqrt(len(of_device))
        assert of_device.mean() == pytest.approx(wanted, abs=4 * error)
        assert error < 0.015, "the bound is one that can be missed"


def test_expected_accuracy_does_not_depend_on_the_time(data: subjects.Subjects):
    drawn = streams.live(np.random.default_rng(3), data, 4000, 200)
    right = (data.answer[NEW] == data.label)[drawn.moment]
    wanted = spread.means(data.subject, data.answer[NEW] == data.label)[1].mean()
    # Of 4000 devices at one moment: 0.0058.
    assert right[:, [0, 50, 199]].mean(axis=0) == pytest.approx(wanted, abs=4 * 0.0058)


@pytest.fixture(scope="module")
def many(data: subjects.Subjects) -> tuple[Lives, np.ndarray]:
    """So many devices that who they happen to be hardly matters; and whether they are right."""
    drawn = streams.live(np.random.default_rng(6), data, 4000, 300)
    return drawn, (data.answer[NEW] == data.label)[drawn.moment]


def test_streams_vary_between_people_and_recordings_as_the_data_do(
    data: subjects.Subjects, many: tuple[Lives, np.ndarray]
):
    drawn, right = many
    real = spread.describe(data).versions["new"]
    person = np.repeat(drawn.person, drawn.moment.shape[1])
    recording = data.recording[drawn.moment].ravel()
    # Not closer: here all people count alike, in the data by how many windows they have.
    assert spread.icc(person, right.ravel()) == pytest.approx(real.icc_subject, abs=0.02)
    assert spread.icc(recording, right.ravel()) == pytest.approx(real.icc_recording, abs=0.03)


def test_streams_are_as_dependent_in_time_as_the_data(
    data: subjects.Subjects, many: tuple[Lives, np.ndarray]
):
    drawn, right = many
    # From here to there without a jump is one recording.
    run = np.cumsum(np.diff(drawn.moment.ravel(), prepend=-2) != 1)
    found = spread.autocorrelation((right - right.mean()).ravel(), run)
    assert found == pytest.approx(_with_people_alike(data, len(found)), abs=0.03)


def _with_people_alike(data: subjects.Subjects, lags: int) -> list[float]:
    """The data's autocorrelation if every person had as many windows."""
    weight = 1 / np.bincount(data.subject)[data.subject]
    right = data.answer[NEW] == data.label
    deviation = right - np.average(right, weights=weight)
    variance = np.average(deviation**2, weights=weight)
    found = []
    for lag in range(1, lags + 1):
        pairs = data.recording[lag:] == data.recording[:-lag]
        products = (deviation[lag:] * deviation[:-lag])[pairs]
        found.append(float(np.average(products, weights=weight[lag:][pairs]) / variance))
    return found


def test_a_telemetry_window_varies_far_more_than_coin_flips(right: np.ndarray):
    share = right.reshape(DEVICES, WINDOWS, PER_WINDOW).mean(axis=2)
    flips = right.mean() * (1 - right.mean()) / PER_WINDOW
    assert share.var() > 10 * flips


@pytest.mark.parametrize("points", [0.01, 0.03, 0.1])
def test_accuracy_falls_by_the_stated_points_from_the_stated_moment_on(
    data: subjects.Subjects, lives: Lives, answers: Answers, right: np.ndarray, points: float
):
    since = 900
    worse = streams.worsen(np.random.default_rng(4), data, lives, answers, points, since)
    still = worse.label == data.label[lives.moment]
    assert np.array_equal(worse.label[:, :since], answers.label[:, :since])
    assert np.array_equal(worse.confidence[:, :since], answers.confidence[:, :since])
    assert not (still & ~right).any(), "what was wrong stays wrong"
    fell = right[:, since:].mean() - still[:, since:].mean()
    # Each right answer is made wrong independently of the others.
    error = np.sqrt(points / right[:, since:].size)
    assert fell == pytest.approx(points, abs=4 * error)
    assert 4 * error < points / 10


def test_what_is_made_wrong_is_a_real_wrong_answer_of_that_person(
    data: subjects.Subjects, lives: Lives, answers: Answers, right: np.ndarray
):
    worse = streams.worsen(np.random.default_rng(5), data, lives, answers, 0.1)
    made = right & (worse.label != data.label[lives.moment])
    wrong = data.answer[NEW] != data.label
    real = set(zip(data.subject[wrong], data.confidence[NEW][wrong], strict=True))
    people = np.broadcast_to(lives.person[:, np.newaxis], made.shape)[made]
    assert made.any()
    assert set(zip(people, worse.confidence[made], strict=True)) <= real


def test_reports_count_what_happened(data: subjects.Subjects, lives: Lives, answers: Answers):
    found = streams.report(data, lives, answers, PER_WINDOW)
    assert found.correct.shape == (DEVICES, WINDOWS)
    assert (found.classes.sum(axis=2) == PER_WINDOW).all()
    assert (found.confidence.sum(axis=2) == PER_WINDOW).all()
    for device, window in ((0, 0), (7, 31), (DEVICES - 1, WINDOWS - 1)):
        part = slice(window * PER_WINDOW, (window + 1) * PER_WINDOW)
        moments, labels = lives.moment[device, part], answers.label[device, part]
        assert found.correct[device, window] == sum(labels == data.label[moments])
        assert found.classes[device, window].tolist() == [int(sum(labels == each)) for each in range(7)]
        bins = [confidence_bin(float(each)) for each in answers.confidence[device, part]]
        assert found.confidence[device, window].tolist() == [bins.count(i) for i in range(CONFIDENCE_BINS)]


def test_latencies_are_stretches_of_the_measured_sequence(data: subjects.Subjects, lives: Lives):
    measured = data.latency_us.astype(np.float64)
    device = lives.latency_us[3]
    starts = np.flatnonzero(measured == device[0])
    assert any(np.array_equal(np.roll(measured, -start)[: len(device)], device) for start in starts)
    assert len({tuple(each[:50]) for each in lives.latency_us}) > 0.95 * DEVICES
