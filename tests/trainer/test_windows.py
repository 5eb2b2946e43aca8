"""Windows stay inside one recording and keep its group."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from trainer.data.dataset import Dataset, Recording, Schema
from trainer.standardiser import fit
from trainer.windows import cut
from wire import preprocess
from wire.errors import InputError

SCHEMA = Schema(kind="series", channels=("x", "y"), rate_hz=50.0, labels=("a", "b", "c"))


def dataset(*lengths: int) -> Dataset:
    recordings = tuple(
        Recording(np.full((length, 2), index, np.float32), label=index % 3, group=f"g{index}")
        for index, length in enumerate(lengths)
    )
    return Dataset("some", SCHEMA, recordings, ())


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 20), st.integers(1, 20))
def test_every_window_is_of_one_recording(lengths: list[int], length: int, stride: int):
    if max(lengths) < length:
        with pytest.raises(InputError, match="no recording has"):
            cut(dataset(*lengths), length, stride)
        return
    windows = cut(dataset(*lengths), length, stride)
    assert windows.x.shape == (len(windows), length, 2)
    recording = windows.x[:, 0, 0]
    assert (windows.x == recording[:, None, None]).all()
    assert windows.group.tolist() == [f"g{index:.0f}" for index in recording]
    assert len(windows) == sum((n - length) // stride + 1 for n in lengths if n >= length)


def test_groups_are_taken_whole():
    windows = cut(dataset(30, 30, 30), 10, 10)
    part = windows.take(windows.of_groups(["g0", "g2"]))
    assert part.group.tolist() == ["g0"] * 3 + ["g2"] * 3


def test_standardised_train_data_has_mean_0_and_deviation_1():
    x = np.random.default_rng(1).normal([5, -3], [2, 0.1], (200, 10, 2)).astype(np.float32)
    ready = preprocess.apply(fit(x), x)
    assert np.allclose(ready.mean(axis=(0, 1)), 0, atol=1e-3)
    assert np.allclose(ready.std(axis=(0, 1)), 1, atol=1e-3)


def test_a_channel_that_never_moves_becomes_zero():
    x = np.full((3, 4, 1), 7.5, np.float32)
    assert (preprocess.apply(fit(x), x) == 0).all()
