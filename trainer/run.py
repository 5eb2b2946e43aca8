"""The run folder: what the trainer leaves for the converter, and for whoever asks where a model came from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.backend import silenced
from trainer.data.dataset import Origin
from trainer.network import Hyperparameters
from trainer.windows import Windows
from wire.errors import InputError, StoreError
from wire.manifest import Preprocessing

RUN_FILE: Final = "run.json"
MODEL_FILE: Final = "model.keras"
CALIBRATION_FILE: Final = "calibration.npz"
EVAL_FILE: Final = "eval.npz"
#: What of a run's field samples goes into every manifest is bounded.
MAX_NUMBERS: Final = 2000
MAX_DEVICES: Final = 32


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Which data set."""

    name: str
    digest: str
    """See trainer.data.dataset.Dataset."""
    origins: tuple[Origin, ...]
    parent: str | None = None
    """Digest of the data set that this one extends."""
    field: Field | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What came from devices."""

    fleet: str
    """The server that gathered it."""
    alert: int | None
    requests: tuple[int, ...]
    """Numbers of the requests for samples."""
    samples: int
    numbers: tuple[int, ...]
    """Of the samples on that server: the first MAX_NUMBERS of them."""
    devices: tuple[str, ...]
    """That they are from: the first MAX_DEVICES of them."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the split."""

    groups: tuple[str, ...]
    windows: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of correct answers of the float model."""

    validation_accuracy: float
    """Of the groups that chose the epoch: optimistic."""
    test_accuracy: float
    """Of the held-out groups: the honest one."""
    test_accuracy_by_group: dict[str, float]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``."""

    format: Literal[1] = 1
    task: str
    title: str
    labels: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float | None
    window: int
    """Samples of one window."""
    stride: int
    """Samples from one window to the next."""
    preprocessing: Preprocessing
    data: Data
    split: dict[Literal["train", "validation", "test"], Part]
    seed: int
    hyperparameters: Hyperparameters
    epochs_run: int
    packages: dict[str, str]
    metrics: Metrics
    confusion: list[list[int]]
    """Held-out groups: row = true class, column = answer."""
    seconds: float
    """Wall time of the whole run."""
    intended_use: str
    limits: str


def write(
    folder: Path, run: Run, model: Any, train: Windows, indices: NDArray[np.intp], test: Windows
) -> None:
    """Write the folder whole or not at all; InputError when there is something already."""
    check_free(folder)
    staged = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        with silenced():
            model.save(staged / MODEL_FILE)
        np.savez(staged / CALIBRATION_FILE, x=train.x, index=indices)
        labels = np.array(run.labels)
        np.savez(
            staged / EVAL_FILE, x=test.x, y=test.y, group=test.group, session=test.session, labels=labels
        )
        text = msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"
        (staged / RUN_FILE).write_bytes(text)
        if folder.is_dir():
            folder.rmdir()
        staged.rename(folder)
    except OSError as error:
        raise StoreError(
            "cannot_write", f"cannot write {folder}: {error.strerror}", "check the path"
        ) from error


def check_free(folder: Path) -> None:
    """InputError unless ``folder`` is absent or an empty directory."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("exists", f"{folder} already exists", "choose another --out, or remove it")
