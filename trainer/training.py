"""One training from data to run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer import identity, run
from trainer.backend import keras_with_seed
from trainer.data.field import Extension
from trainer.fitting import Labelled, Progress, predict, unheard
from trainer.network import Hyperparameters
from trainer.prepared import Prepared, prepare
from trainer.recipes import catalogue
from trainer.recipes.recipe import Recipe
from trainer.run import Arrays
from trainer.tasks import Task
from wire.manifest import Preprocessing


def train(
    task: str | Task,
    out: Path,
    *,
    groups: int | Sequence[str] | None = None,
    seed: int = 1,
    hyper: Hyperparameters | Mapping[str, Any] | None = None,
    recipe: str | None = None,
    field: Extension | None = None,
    progress: Progress = unheard,
) -> run.Run:
    """Train a task, or the one of that name, into the run folder ``out``; returns what its run.json says.

    ``groups``: how many of the train groups, or which; None for all. ``field``: samples of devices
    that are trained on as well. ``recipe``: one of ours by name, a
    path to your own, or None for the one that suits the data. Raises InputError or NotFoundError before
    anything slow, StoreError when the folder cannot be written.
    """
    run.check_free(out)
    data = prepare(task, groups, field)
    sizes = ", ".join(f"{len(part)} {name} windows" for name, part in data.parts.items())
    progress(f"{data.task.name}: {sizes}")
    begun = begin(data, chosen(data, recipe), hyper, seed)
    fitted = finish(begun, progress)
    scored, answers = score(data, begun.model, fitted)
    run.write(out, scored, begun.model, files(data, answers), own_text(begun.recipe))
    progress(f"held-out accuracy {scored.metrics.test_accuracy:.3f} after {scored.seconds:.0f} s")
    return scored


def chosen(data: Prepared, recipe: str | None) -> Recipe:
    """The recipe of that name or path, or the one for the data; InputError when it does not suit it."""
    found = catalogue.find(recipe, data.dataset.schema.kind)
    found.suits(data.dataset.schema)
    return found


@dataclass(frozen=True)
class Begun:
    """A network that knows nothing yet."""

    data: Prepared
    recipe: Recipe
    hyper: Hyperparameters
    seed: int
    keras: Any
    model: Any
    spec: Preprocessing
    train: Labelled
    validation: Labelled
    since: float
    """Monotonic seconds."""


def begin(
    data: Prepared, recipe: Recipe, hyper: Hyperparameters | Mapping[str, Any] | None, seed: int
) -> Begun:
    """Preprocess and build; what follows is determined by this alone."""
    since = time.monotonic()
    complete = recipe.complete(hyper)
    spec = data.fitted(complete.preprocessing)
    ready = data.ready(spec, "train", "validation")
    ready["train"] = ready["train"]._replace(weight=data.weights(complete.field_weight))
    keras = keras_with_seed(seed)
    classes = len(data.dataset.schema.labels)
    model = recipe.build(keras, ready["train"].x.shape[1:], classes, complete)
    return Begun(data, recipe, complete, seed, keras, model, spec, ready["train"], ready["validation"], since)


def finish(begun: Begun, progress: Progress = unheard) -> run.Run:
    """Fit the network in place; its record, without a look at the test groups."""
    epochs = begun.recipe.fit(begun.keras, begun.model, begun.train, begun.validation, begun.hyper, progress)
    right = predict(begun.model, begun.validation.x) == begun.validation.y
    return record(begun, epochs, run.Metrics(validation_accuracy=float(right.mean())))


def record(begun: Begun, epochs: int, metrics: run.Metrics) -> run.Run:
    """What ``run.json`` says."""
    data, recipe = begun.data, begun.recipe
    schema, task = data.dataset.schema, data.task
    hyper = msgspec.to_builtins(begun.hyper)
    packages = identity.packages()
    what = {
        "data": data.dataset.digest,
        "split": {name: part.sha256 for name, part in data.described.items()},
        "window": (task.window, task.stride),
        "recipe": recipe.sha256,
        "hyperparameters": hyper,
        "seed": begun.seed,
        "packages": packages,
    }
    return run.Run(
        id=identity.run_id(what),
        model_sha256=identity.weights_digest(begun.model),
        task=task.name,
        source=data.source,
        title=task.title,
        labels=schema.labels,
        channels=schema.channels,
        rate_hz=schema.rate_hz,
        window=task.window,
        stride=task.stride,
        preprocessing=begun.spec,
        data=run.Data(
            name=data.dataset.name,
            digest=data.dataset.digest,
            origins=tuple(source.origin for source in data.dataset.sources),
            parent=data.parent,
            field=None if data.field is None else data.field.record,
        ),
        wanted_groups=data.wanted,
        split=data.described,
        seed=begun.seed,
        recipe=run.Instructions(name=recipe.name, sha256=recipe.sha256, own=recipe.own),
        hyperparameters=hyper,
        epochs_run=epochs,
        packages=packages,
        machine=identity.machine(),
        metrics=metrics,
        seconds=round(time.monotonic() - begun.since, 1),
        intended_use=task.intended_use,
        limits=task.limits,
    )


def score(data: Prepared, model: Any, fitted: run.Run) -> tuple[run.Run, NDArray[np.int64]]:
    """The record of a fitted model with what the held-out groups say; this is the one look at them."""
    test = data.parts["test"]
    answers = predict(model, data.labelled(fitted.preprocessing, test).x)
    right = answers == test.y
    metrics = msgspec.structs.replace(
        fitted.metrics,
        test_accuracy=float(right.mean()),
        test_accuracy_by_group={
            str(each): float(right[test.group == each].mean()) for each in np.unique(test.group)
        },
    )
    counts = confusion(test.y, answers, len(fitted.labels))
    return msgspec.structs.replace(fitted, metrics=metrics, confusion=counts), answers


def files(data: Prepared, answers: NDArray[np.int64]) -> dict[str, Arrays | Path]:
    """The sample files of a run folder; the answers let runs be compared without running them."""
    test = data.parts["test"]
    held_out: Arrays = {
        "x": test.x,
        "y": test.y,
        "group": test.group,
        "session": test.session,
        "labels": np.array(data.dataset.schema.labels),
        "answer": answers,
    }
    return {run.CALIBRATION_FILE: data.calibration, run.EVAL_FILE: held_out}


def own_text(recipe: Recipe) -> bytes:
    """The text of a user's recipe; nothing of ours."""
    return recipe.file.read_bytes() if recipe.own else b""


def confusion(truth: NDArray[np.int64], answer: NDArray[np.int64], classes: int) -> list[list[int]]:
    """Counts; row = true class, column = answer."""
    counts = np.bincount(truth * classes + answer, minlength=classes * classes)
    rows: list[list[int]] = counts.reshape(classes, classes).tolist()
    return rows
