"""Sample files are read within limits, never unpickled, and checked."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from converter.samples import load
from wire.errors import FleetError, InputError, NotFoundError

X = np.linspace(0, 1, 24).reshape(4, 3, 2)
Y = np.array([0, 1, 2, 0])


@pytest.fixture
def save(tmp_path: Path):
    def run(**arrays) -> Path:
        np.savez(tmp_path / "s.npz", **arrays)
        return tmp_path / "s.npz"

    return run


def test_good_samples(save):
    samples = load(save(x=X, y=Y, labels=np.array(["a", "b", "c"])), labelled=True)
    assert samples.x.dtype == np.float32
    assert samples.y is not None
    assert samples.y.tolist() == Y.tolist()
    assert samples.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"y": Y},
        {"x": X[0, 0], "y": Y},
        {"x": X},
        {"x": X, "y": Y[:3]},
        {"x": X, "y": Y - 1},
        {"x": X, "y": Y + 0.5},
        {"x": X * np.nan, "y": Y},
        {"x": X.astype(str), "y": Y},
        {"x": X.astype(np.int8), "y": Y},
        {"x": X[:0], "y": Y[:0]},
        {"x": X.astype(object), "y": Y},
    ],
)
def test_bad_samples_are_a_typed_error(save, arrays):
    with pytest.raises(InputError):
        load(save(**arrays), labelled=True)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(NotFoundError, match="gone"):
        load(tmp_path / "gone.npz")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_truncated_samples_are_a_typed_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    file = tmp_path_factory.getbasetemp() / "cut.npz"
    np.savez(file, x=X, y=Y)
    whole = file.read_bytes()
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(FleetError):
        load(file, labelled=True)
