"""A real training: what it leaves behind, and that its figures are honest."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from trainer.backend import keras_with_seed, silenced
from trainer.data import watch
from trainer.network import Hyperparameters
from trainer.run import Run
from trainer.training import confusion, train
from trainer.windows import cut
from wire import preprocess
from wire.errors import InputError, NotFoundError

HELD_OUT = {"8", "9", "10"}


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return msgspec.json.decode((run_folder / "run.json").read_bytes(), type=Run)


def weights(folder: Path) -> list[np.ndarray]:
    keras = keras_with_seed(0)
    with silenced():
        return keras.models.load_model(folder / "model.keras").get_weights()


def test_the_folder_is_complete(run_folder: Path):
    names = {file.name for file in run_folder.iterdir()}
    assert names == {"model.keras", "calibration.npz", "eval.npz", "run.json"}
    assert not list(run_folder.parent.glob(".*"))


def test_no_group_leaks(run: Run, run_folder: Path):
    split = {name: set(part.groups) for name, part in run.split.items()}
    assert split == {"train": {"1", "2"}, "validation": {"7"}, "test": HELD_OUT}
    windows = cut(watch.load(), run.window, run.stride)
    with np.load(run_folder / "calibration.npz") as calibration:
        assert set(windows.group[calibration["index"]].tolist()) == {"1", "2"}
        assert (windows.x[calibration["index"]] == calibration["x"]).all()
    with np.load(run_folder / "eval.npz") as evaluation:
        assert set(evaluation["group"].tolist()) == HELD_OUT
        assert (evaluation["x"] == windows.x[windows.of_groups(sorted(HELD_OUT))]).all()


def test_standardisation_knows_the_train_groups_only(run: Run, run_folder: Path):
    with np.load(run_folder / "calibration.npz") as calibration:
        x = calibration["x"].astype(np.float64)
    assert np.allclose(run.preprocessing.mean, x.mean(axis=(0, 1)))
    assert np.allclose(run.preprocessing.std, x.std(axis=(0, 1)))


def test_metrics_equal_a_re_run_of_the_saved_model(run: Run, run_folder: Path):
    keras = keras_with_seed(0)
    with silenced(), np.load(run_folder / "eval.npz") as evaluation:
        model = keras.models.load_model(run_folder / "model.keras")
        x, y, group = evaluation["x"], evaluation["y"], evaluation["group"]
        answers = model.predict(preprocess.apply(run.preprocessing, x), verbose=0, batch_size=256).argmax(1)
    assert (answers == y).mean() == run.metrics.test_accuracy
    assert confusion(y, answers, 7) == run.confusion
    assert sum(map(sum, run.confusion)) == run.split["test"].windows == len(y)
    for name, accuracy in run.metrics.test_accuracy_by_group.items():
        assert (answers == y)[group == name].mean() == accuracy


def test_accuracy_is_above_chance_and_below_a_leak(run: Run):
    assert 0.35 < run.metrics.test_accuracy < 0.95


def test_the_same_seed_gives_the_same_weights(run_folder: Path, tmp_path: Path):
    heard: list[str] = []
    train("watch", tmp_path / "b", groups=2, seed=7, hyper=Hyperparameters(epochs=3), progress=heard.append)
    assert [line for line in heard if line.startswith("epoch 3/3: loss ")]
    for one, other in zip(weights(run_folder), weights(tmp_path / "b"), strict=True):
        assert (one == other).all()
    for name in ("calibration.npz", "eval.npz"):
        assert (run_folder / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_taken_folder_and_an_unknown_task_are_refused_before_training(run_folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="already exists"):
        train("watch", run_folder)
    with pytest.raises(NotFoundError, match="use one of: watch"):
        train("listen", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_modules_load_without_tensorflow():
    code = (
        "import sys, trainer.training, converter.conversion, converter.verification;"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
