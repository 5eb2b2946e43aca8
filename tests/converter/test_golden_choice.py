"""Golden inputs: deterministic, varied, small enough, and able to tell a dead model."""

import numpy as np
import pytest

from converter.golden import check_telling, count_for, in_turn, most_varied, noise
from converter.quantise import spread
from wire.errors import RefusedError
from wire.manifest import TensorSpec


def test_golden_inputs_take_classes_in_turn():
    y = np.array([2, 2, 2, 0, 0, 1])
    assert in_turn(y, 5).tolist() == [3, 5, 0, 4, 1]


def test_golden_spread_is_even_and_ends_at_both_ends():
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 8).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("item", "model", "count"), [(600, 16_000, 8), (27_648, 333_288, 6), (5_000, 100, 2)]
)
def test_golden_inputs_stay_small_beside_the_model(item: int, model: int, count: int):
    assert count_for(item, model) == count


def test_golden_inputs_over_the_limit_are_refused():
    with pytest.raises(RefusedError, match="too many for golden vectors"):
        count_for(600_000, 10_000_000)


def test_golden_outputs_all_alike_are_refused():
    with pytest.raises(RefusedError, match="same answer"):
        check_telling(np.full((8, 3), 5, np.int8))
    check_telling(np.array([[1, 2], [1, 3]], np.int8))


def test_golden_noise_is_seeded_and_of_many_sizes():
    spec = TensorSpec(name="x", shape=[1, 20, 3], dtype="int8", scale=1.0, zero_point=0)
    values = noise(spec)
    assert values.shape == (64, 20, 3)
    assert (values == noise(spec)).all()
    spreads = values.std(axis=1).mean(axis=1)
    assert spreads.min() < 4
    assert spreads.max() > 40


def test_golden_choice_prefers_outputs_that_differ():
    outputs = np.array([[0], [0], [1], [100], [100], [-50]], np.int8)
    assert most_varied(outputs, 3).tolist() == [0, 3, 5]
    assert len(set(most_varied(outputs, 6).tolist())) == 6
    assert most_varied(outputs, 9).tolist() == [0, 1, 2, 3, 4, 5]
