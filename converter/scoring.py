"""Accuracy of answers that were really given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wire.manifest import Score

Answers = NDArray[np.intp]


def answers(outputs: NDArray[Any]) -> Answers:
    """Class with the highest output; the first of equals, as devices do. (n, classes) -> (n,)."""
    chosen: Answers = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return chosen


def score(answered: Answers, truth: NDArray[np.int64]) -> Score:
    """How many were right."""
    return Score(n=len(truth), correct=int(np.count_nonzero(answered == truth)))


def confusion(answered: Answers, truth: NDArray[np.int64], classes: int) -> list[list[int]]:
    """Counts; row = true class, column = answer."""
    counts = np.bincount(truth * classes + answered, minlength=classes * classes)
    rows: list[list[int]] = counts.reshape(classes, classes).tolist()
    return rows


def has_classes(metric: str, outputs: int) -> bool:
    """Whether ``outputs`` values are a class each: not a detector's score, not an autoencoder's image."""
    return outputs == 2 or (outputs > 2 and metric != "auc")
