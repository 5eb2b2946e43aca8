"""A task's data, loaded, split and cut: where every training begins, a single one and those of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer import preparing, run
from trainer.data.dataset import Dataset
from trainer.data.field import FIELD, Extension, extend
from trainer.fitting import Labelled
from trainer.run import PartName
from trainer.split import Split, choose
from trainer.tasks import Task, find
from trainer.windows import Windows, cut
from wire import preprocess
from wire.manifest import Preprocessing

PARTS: tuple[PartName, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """Raw windows of every part."""

    source: str
    """What was asked for."""
    task: Task
    dataset: Dataset
    wanted: int | tuple[str, ...] | None
    split: Split
    indices: dict[PartName, NDArray[np.intp]]
    """Of each part's windows among all."""
    parts: dict[PartName, Windows]
    parent: str | None = None
    """Digest of the data set that this one extends by samples from the field."""
    field: Extension | None = None

    @cached_property
    def described(self) -> dict[PartName, run.Part]:
        """For ``run.json``."""
        return {name: run.part(getattr(self.split, name), len(self.parts[name])) for name in PARTS}

    @property
    def calibration(self) -> run.Arrays:
        """The train windows as the converter reads them, and their classes for whoever trains on."""
        train = self.parts["train"]
        return {"x": train.x, "y": train.y, "index": self.indices["train"]}

    def ready(self, spec: Preprocessing, *names: PartName) -> dict[PartName, Labelled]:
        """Model inputs of the named parts."""
        return {name: self.labelled(spec, self.parts[name]) for name in names}

    @staticmethod
    def labelled(spec: Preprocessing, part: Windows) -> Labelled:
        """Model inputs of ``part``."""
        return Labelled(preprocess.apply(spec, part.x), part.y)

    def weights(self, field_weight: float) -> NDArray[np.float32] | None:
        """Of the train windows in the loss; None when all count the same."""
        if field_weight == 1.0:
            return None
        of_field = np.char.startswith(self.parts["train"].group, FIELD)
        return np.where(of_field, np.float32(field_weight), np.float32(1.0))

    def fitted(self, kind: str) -> Preprocessing:
        """The preprocessing ``kind``, of the train windows only."""
        return preparing.fit(kind, self.parts["train"].x)


def prepare(
    task: str | Task, groups: int | Sequence[str] | None = None, field: Extension | None = None
) -> Prepared:
    """Load, split and cut; ``groups``: how many of the train groups, or which. InputError, NotFoundError."""
    source, task = (_anywhere(task), find(task)) if isinstance(task, str) else (task.name, task)
    dataset = base = task.load()
    if field is not None:
        dataset = extend(base, field.samples, field.record.fleet)
    split = choose(dataset.groups, validation=task.validation, test=task.test, train=groups)
    windows = cut(dataset, task.window, task.stride)
    indices = {name: windows.of_groups(getattr(split, name)) for name in PARTS}
    return Prepared(
        source=source,
        task=task,
        dataset=dataset,
        wanted=groups if groups is None or isinstance(groups, int) else tuple(groups),
        split=split,
        indices=indices,
        parts={name: windows.take(index) for name, index in indices.items()},
        parent=None if field is None else base.digest,
        field=field,
    )


def _anywhere(source: str) -> str:
    """A path that means the same from another folder; names are left alone."""
    return str(Path(source).absolute()) if "/" in source or source.startswith(".") else source
