"""Training a run again from its record, to see whether the same weights come out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from trainer import identity, training
from trainer.fitting import Progress, unheard
from trainer.prepared import Prepared, prepare
from trainer.recipes import catalogue
from trainer.recipes.recipe import Recipe
from trainer.run import RECIPE_FILE, Run, read


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """What came out."""

    run: str
    equal: bool
    """Whether the weights are the same, bit for bit."""
    trained: bool
    """False when something that determines them is another one, so that training would prove nothing."""
    model_sha256: str
    """Of the record."""
    again_sha256: str = ""
    differs: list[str] = []
    """What is not as it was, in words; with equal weights only circumstances."""


def reproduce(folder: Path, progress: Progress = unheard) -> Reproduction:
    """Train ``folder`` again, in memory; InputError or NotFoundError when its data or recipe is gone."""
    record = read(folder)
    wanted = record.wanted_groups
    data = prepare(record.source, list(wanted) if isinstance(wanted, tuple) else wanted)
    own = str(folder / RECIPE_FILE) if record.recipe.own else record.recipe.name
    recipe = catalogue.find(own, data.dataset.schema.kind)
    differs = _inputs(record, data, recipe)
    if differs:
        return Reproduction(
            run=str(folder), equal=False, trained=False, model_sha256=record.model_sha256, differs=differs
        )
    begun = training.begin(data, recipe, record.hyperparameters, record.seed)
    again = training.finish(begun, progress)
    equal = again.model_sha256 == record.model_sha256
    return Reproduction(
        run=str(folder),
        equal=equal,
        trained=True,
        model_sha256=record.model_sha256,
        again_sha256=again.model_sha256,
        differs=_circumstances(record) + ([] if equal else _outcomes(record, again)),
    )


def _inputs(record: Run, data: Prepared, recipe: Recipe) -> list[str]:
    """What determines the weights and is not the same."""
    found = []
    if data.dataset.digest != record.data.digest:
        found.append(f"the data set {record.data.name} holds other recordings than then")
    for name, part in record.split.items():
        if data.described[name].sha256 != part.sha256:
            found.append(f"the {name} groups are other ones")
    if (data.task.window, data.task.stride) != (record.window, record.stride):
        found.append(f"windows are {data.task.window} by {data.task.stride} samples now")
    if recipe.sha256 != record.recipe.sha256:
        found.append(f"the text of recipe {record.recipe.name}, or of what recipes share, has changed")
    return found


def _circumstances(record: Run) -> list[str]:
    now = identity.packages() | identity.machine()
    then = record.packages | record.machine
    return [
        f"{name} was {then.get(name, 'unknown')}, is {now[name]}"
        for name in now
        if now[name] != then.get(name)
    ]


def _outcomes(record: Run, again: Run) -> list[str]:
    found = ["the weights"]
    if again.epochs_run != record.epochs_run:
        found.append(f"epochs run: {record.epochs_run} then, {again.epochs_run} now")
    then, now = record.metrics.validation_accuracy, again.metrics.validation_accuracy
    if then != now:
        found.append(f"validation accuracy: {then:.4f} then, {now:.4f} now")
    return found
