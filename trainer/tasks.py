"""The tasks that can be trained; a new one is a loader and an entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trainer.data import watch
from trainer.data.dataset import Dataset
from wire.errors import NotFoundError


@dataclass(frozen=True)
class Task:
    """How one data set becomes windows and a split."""

    name: str
    title: str
    load: Callable[[], Dataset]
    window: int
    """Samples of one window."""
    stride: int
    """Samples from one window to the next."""
    validation: tuple[str, ...]
    test: tuple[str, ...]
    """Groups that no training ever sees; fixed, so that versions compare."""
    intended_use: str
    limits: str
    """What the model must not be used for, and what it does not know."""


TASKS: Final = {
    "watch": Task(
        name="watch",
        title="which of seven shoulder exercises a smartwatch wearer is doing",
        load=watch.load,
        window=100,
        stride=50,
        validation=("7",),
        test=("8", "9", "10"),
        intended_use="showing and testing how a model is deployed to a fleet; counting home exercises",
        limits=(
            "diagnosis, judging how well an exercise is done, or decisions about a person. "
            "It knows seven exercises of ten people with one kind of watch; anything else that an arm does "
            "is also given one of the seven names."
        ),
    )
}


def find(name: str) -> Task:
    """The task ``name``; NotFoundError lists those that there are."""
    if name not in TASKS:
        raise NotFoundError("unknown_task", f"there is no task {name!r}", f"use one of: {', '.join(TASKS)}")
    return TASKS[name]
