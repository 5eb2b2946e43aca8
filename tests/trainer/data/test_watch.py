"""The watch data: exactly the pinned file, read without importing its package."""

import importlib.util
import pickle
import sys
from pathlib import Path

import pytest

from trainer.data import watch
from wire.errors import InputError, NotFoundError
from wire.manifest import digest_of


def test_the_recordings_are_the_published_ones():
    dataset = watch.load()
    assert "seglearn" not in sys.modules
    assert len(dataset.recordings) == 140
    assert dataset.groups == tuple(str(number) for number in range(1, 11))
    assert dataset.schema.labels == ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
    assert {recording.samples.shape[1] for recording in dataset.recordings} == {6}
    assert dataset.sources[0].files[0].sha256 == watch.SHA256


class Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_another_pickle_is_refused_and_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sprung = tmp_path / "sprung"
    file = tmp_path / "watch_dataset.npy"
    file.write_bytes(pickle.dumps(Trap(sprung)))
    monkeypatch.setattr(watch, "find_file", lambda: file)
    with pytest.raises(InputError, match="not the pinned file") as caught:
        watch.load()
    assert caught.value.code == "data_changed"
    assert "seglearn==1.2.5" in caught.value.hint
    assert not sprung.exists()


def test_the_right_bytes_pass(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"data")
    assert watch.read_pinned(tmp_path / "f", digest_of(b"data")) == b"data"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotFoundError, match="seglearn package is not installed"):
        watch.load()


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(NotFoundError, match="cannot read gone"):
        watch.read_pinned(tmp_path / "gone", watch.SHA256)
