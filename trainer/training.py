"""One training from data to run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer import network, run, standardiser
from trainer.backend import keras_with_seed
from trainer.data.dataset import Dataset
from trainer.data.field import FIELD, FieldSample, extend
from trainer.fitting import Labelled, Progress, fit, predict, unheard
from trainer.network import Hyperparameters
from trainer.split import Split, choose
from trainer.tasks import Task, find
from trainer.windows import Windows, cut
from wire import preprocess
from wire.manifest import Preprocessing


class Extension(NamedTuple):
    """Field samples, and where they are from."""

    samples: Sequence[FieldSample]
    record: run.Field


_PACKAGES: Final = ("keras", "numpy", "tensorflow")


def train(
    task: str | Task,
    out: Path,
    *,
    groups: int | Sequence[str] | None = None,
    seed: int = 1,
    hyper: Hyperparameters | None = None,
    field: Extension | None = None,
    progress: Progress = unheard,
) -> run.Run:
    """Train a task, or the one of that name, into the run folder ``out``; returns what its run.json says.

    ``groups``: how many of the train groups, or which; None for all. ``field``: samples of devices that are
    trained on as well. Raises InputError or
    NotFoundError before anything slow, StoreError when the folder cannot be written.
    """
    began = time.monotonic()
    task, hyper = find(task) if isinstance(task, str) else task, hyper or Hyperparameters()
    run.check_free(out)
    dataset = base = task.load()
    if field is not None:
        dataset = extend(base, field.samples, field.record.fleet)
    split = choose(dataset.groups, validation=task.validation, test=task.test, train=groups)
    windows = cut(dataset, task.window, task.stride)
    indices = {name: windows.of_groups(getattr(split, name)) for name in ("train", "validation", "test")}
    parts = {name: windows.take(index) for name, index in indices.items()}
    progress(f"{task.name}: " + ", ".join(f"{len(part)} {name} windows" for name, part in parts.items()))

    spec = standardiser.fit(parts["train"].x)
    ready = {name: Labelled(preprocess.apply(spec, part.x), part.y) for name, part in parts.items()}
    ready["train"] = ready["train"]._replace(weight=_weights(parts["train"], hyper))
    keras = keras_with_seed(seed)
    schema = dataset.schema
    model = network.build(keras, (task.window, len(schema.channels)), len(schema.labels), hyper)
    epochs = fit(keras, model, ready["train"], ready["validation"], hyper, progress)
    answers = {name: predict(model, ready[name].x) for name in ("validation", "test")}

    data = run.Data(
        name=dataset.name,
        digest=dataset.digest,
        origins=tuple(source.origin for source in dataset.sources),
        parent=None if field is None else base.digest,
        field=None if field is None else field.record,
    )
    record = _record(task, dataset, data, split, parts, spec, hyper, answers, seed, epochs, began)
    run.write(out, record, model, parts["train"], indices["train"], parts["test"])
    progress(f"held-out accuracy {record.metrics.test_accuracy:.3f} after {record.seconds:.0f} s")
    return record


def _weights(train: Windows, hyper: Hyperparameters) -> NDArray[np.float32] | None:
    if hyper.field_weight == 1.0:
        return None
    field = np.char.startswith(train.group, FIELD)
    return np.where(field, np.float32(hyper.field_weight), np.float32(1.0))


def _record(
    task: Task,
    dataset: Dataset,
    data: run.Data,
    split: Split,
    parts: dict[str, Windows],
    spec: Preprocessing,
    hyper: Hyperparameters,
    answers: dict[str, NDArray[np.int64]],
    seed: int,
    epochs: int,
    began: float,
) -> run.Run:
    test = parts["test"]
    return run.Run(
        task=task.name,
        title=task.title,
        labels=dataset.schema.labels,
        channels=dataset.schema.channels,
        rate_hz=dataset.schema.rate_hz,
        window=task.window,
        stride=task.stride,
        preprocessing=spec,
        data=data,
        split={
            "train": run.Part(groups=split.train, windows=len(parts["train"])),
            "validation": run.Part(groups=split.validation, windows=len(parts["validation"])),
            "test": run.Part(groups=split.test, windows=len(test)),
        },
        seed=seed,
        hyperparameters=hyper,
        epochs_run=epochs,
        packages={name: version(name) for name in _PACKAGES},
        metrics=_metrics(parts, answers),
        confusion=confusion(test.y, answers["test"], len(dataset.schema.labels)),
        seconds=round(time.monotonic() - began, 1),
        intended_use=task.intended_use,
        limits=task.limits,
    )


def _metrics(parts: dict[str, Windows], answers: dict[str, NDArray[np.int64]]) -> run.Metrics:
    right: dict[str, NDArray[Any]] = {name: answers[name] == parts[name].y for name in answers}
    group = parts["test"].group
    return run.Metrics(
        validation_accuracy=float(right["validation"].mean()),
        test_accuracy=float(right["test"].mean()),
        test_accuracy_by_group={
            str(each): float(right["test"][group == each].mean()) for each in np.unique(group)
        },
    )


def confusion(truth: NDArray[np.int64], answer: NDArray[np.int64], classes: int) -> list[list[int]]:
    """Counts; row = true class, column = answer."""
    counts = np.bincount(truth * classes + answer, minlength=classes * classes)
    rows: list[list[int]] = counts.reshape(classes, classes).tolist()
    return rows
