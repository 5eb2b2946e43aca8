"""The run folder: what the trainer leaves for the converter, and for whoever asks where a model came from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.backend import silenced
from trainer.data.dataset import Origin
from trainer.data.field import Record
from wire.errors import InputError, NotFoundError, StoreError
from wire.manifest import Preprocessing, digest_of

RUN_FILE: Final = "run.json"
MODEL_FILE: Final = "model.keras"
CALIBRATION_FILE: Final = "calibration.npz"
EVAL_FILE: Final = "eval.npz"
RECIPE_FILE: Final = "recipe.py"
"""A user's own recipe."""
MAX_BYTES: Final = 1024 * 1024
NAMED_GROUPS: Final = 32
"""Groups that a part lists; the run's split goes into the manifest, which is small."""
PartName = Literal["train", "validation", "test"]
Arrays = dict[str, NDArray[Any]]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Which data set."""

    name: str
    digest: str
    """See trainer.data.dataset.Dataset."""
    origins: tuple[Origin, ...]
    parent: str | None = None
    """Digest of the data set that this one extends."""
    field: Record | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the split."""

    groups: tuple[str, ...]
    """The first of them."""
    count: int
    """Of all."""
    sha256: str
    """Of the JSON list of all."""
    windows: int


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """Which recipe."""

    name: str
    sha256: str
    own: bool = False
    """Whether it is a user's: then its file is in the run folder."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of correct answers of the float model."""

    validation_accuracy: float
    """Of the groups that chose the epoch: optimistic."""
    test_accuracy: float | None = None
    """Of the held-out groups: the honest one. A search does not look at it until it has chosen."""
    test_accuracy_by_group: dict[str, float] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``."""

    format: Literal[1] = 1
    id: str
    """See ``trainer.identity.run_id``."""
    model_sha256: str
    """See ``trainer.identity.weights_digest``."""
    task: str
    source: str
    """What was asked to be trained: a name or a path."""
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
    wanted_groups: int | tuple[str, ...] | None = None
    """Train groups that were asked for; all when None."""
    split: dict[PartName, Part]
    seed: int
    recipe: Instructions
    hyperparameters: dict[str, Any]
    epochs_run: int
    packages: dict[str, str]
    machine: dict[str, str]
    metrics: Metrics
    confusion: list[list[int]] = []
    """Held-out groups: row = true class, column = answer; empty before they were looked at."""
    seconds: float
    """Wall time of the whole run."""
    intended_use: str
    limits: str


def part(groups: Sequence[str], windows: int) -> Part:
    """One part of a split, short however many groups there are."""
    return Part(
        groups=tuple(groups[:NAMED_GROUPS]),
        count=len(groups),
        sha256=digest_of(msgspec.json.encode(tuple(groups))),
        windows=windows,
    )


def write(
    folder: Path, run: Run, model: Any, samples: Mapping[str, Arrays | Path], recipe: bytes = b""
) -> None:
    """Write the folder whole or not at all; InputError when there is something already.

    ``samples``: by file name, what it holds, or a file that holds it; ``recipe``: the text of a user's own.
    """
    check_free(folder)
    staged = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        with silenced():
            model.save(staged / MODEL_FILE)
        for name, held in samples.items():
            if isinstance(held, Path):
                link(held, staged / name)
            else:
                np.savez(staged / name, allow_pickle=False, **held)
        if recipe:
            (staged / RECIPE_FILE).write_bytes(recipe)
        (staged / RUN_FILE).write_bytes(text_of(run))
        if folder.is_dir():
            folder.rmdir()
        staged.rename(folder)
    except OSError as error:
        raise StoreError(
            "cannot_write", f"cannot write {folder}: {error.strerror}", "check the path"
        ) from error


def text_of(run: Run) -> bytes:
    """``run.json``."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


def read(folder: Path) -> Run:
    """The run in ``folder``; NotFoundError or InputError."""
    try:
        with (folder / RUN_FILE).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(
            "no_run", f"{folder} has no {RUN_FILE}: {error.strerror}", "see tinyfleet runs list"
        ) from error
    try:
        if len(text) > MAX_BYTES:
            raise msgspec.ValidationError(f"over {MAX_BYTES} bytes")
        return msgspec.json.decode(text, type=Run)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("bad_run", f"{folder / RUN_FILE}: {str(error)[:160]}", "train again") from error


def check_free(folder: Path) -> None:
    """InputError unless ``folder`` is absent or an empty directory."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("exists", f"{folder} already exists", "choose another --out, or remove it")


def link(source: Path, target: Path) -> None:
    """The same file under a second name, without a second copy where the disk can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
