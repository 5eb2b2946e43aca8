"""Calibration drawn from evaluation samples: disjoint, in proportion, recorded, the same every time."""

import io

import numpy as np
import pytest

from converter import calibration_index
from converter.calibration_index import draw, evaluated, pack, split, unpack
from converter.samples import Samples
from wire.errors import InputError, WireError


def samples(y: list[int], index: list[int] | None = None) -> Samples:
    x = np.arange(len(y), dtype=np.float32)[:, np.newaxis]
    places = None if index is None else np.array(index)
    return Samples(x, np.array(y), (), "0" * 64, places, "file" if index is None else "data set")


@pytest.mark.parametrize(("n", "count"), [(5, 1), (9, 1), (100, 20), (1000, 200), (5000, 200)])
def test_a_fifth_is_drawn_but_at_most_200(n: int, count: int):
    places = draw(np.arange(n) % 3)
    assert len(places) == len(set(places.tolist())) == count
    assert places.tolist() == sorted(places.tolist())
    assert places.min() >= 0
    assert places.max() < n


def test_every_class_is_drawn_in_proportion():
    y = np.random.default_rng(3).permutation(np.repeat([0, 1, 2], [600, 300, 100]))
    counts = np.bincount(y[draw(y)])
    assert np.abs(counts - [120, 60, 20]).max() <= 1


def test_the_same_samples_are_drawn_every_time_and_not_the_first_ones():
    y = np.arange(100) % 4
    assert draw(y).tolist() == draw(y.copy()).tolist()
    assert draw(y).tolist() != list(range(20))


def test_too_few_samples_are_refused():
    with pytest.raises(InputError, match="4 evaluation samples are too few"):
        draw(np.array([0, 1, 0, 1]))


def test_what_is_drawn_and_what_is_left_are_disjoint_and_together_everything():
    given = samples([0, 1] * 50, index=list(range(900, 1000)))
    drawn, left = split(given)
    assert sorted([*drawn.x[:, 0].tolist(), *left.x[:, 0].tolist()]) == list(range(100))
    assert (drawn.index_of, left.index_of) == ("file", "data set")
    assert drawn.index is not None
    assert left.index is not None
    assert drawn.x[:, 0].tolist() == drawn.index.tolist()
    assert (left.x[:, 0] + 900).tolist() == left.index.tolist()


def test_a_bundle_is_evaluated_again_on_what_was_left():
    given = samples([0, 1] * 50)
    drawn, left = split(given)
    assert drawn.index is not None
    files = {calibration_index.FILE: pack(drawn.index)}
    again = evaluated(given, {"calibration": {"drawn": "yes"}}, files)
    assert again.x.tolist() == left.x.tolist()
    assert evaluated(given, {"calibration": {}}, files).x.tolist() == given.x.tolist()


def bad_files() -> list[bytes]:
    made = []
    for values in (np.zeros((2, 2), np.int32), np.zeros(2, np.float32), np.array([{}], object)):
        file = io.BytesIO()
        np.save(file, values, allow_pickle=True)
        made.append(file.getvalue())
    return [b"", b"\x93NUMPY", *made, made[0][:-1]]


@pytest.mark.parametrize("data", bad_files())
def test_a_damaged_index_file_is_a_typed_error(data: bytes):
    with pytest.raises(WireError, match="calibration indices"):
        unpack(data)


def test_indices_beyond_the_samples_are_a_typed_error():
    files = {calibration_index.FILE: pack(np.array([0, 100]))}
    with pytest.raises(WireError, match="beyond the samples"):
        evaluated(samples([0, 1] * 50), {"calibration": {"drawn": "yes"}}, files)
