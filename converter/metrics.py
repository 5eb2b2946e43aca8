"""What is compared between the float model and int8: one number a sample, and a figure of merit.

``top1`` and ``f1`` (macro) look at the class with the highest output; ``auc`` at a score: the only
output of a detector, the second class's lead of a two-class model, or the mean squared error of an
autoencoder, whose output has the shape of its input.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter import paired, scoring
from wire.errors import InputError

Metric = Literal["top1", "auc", "f1"]
Values = NDArray[Any]
"""(n,): classes, or scores for ``auc``."""


def values(metric: Metric, inputs: NDArray[np.float32], outputs: NDArray[Any]) -> Values:
    """Outputs in real units (n, ...) as what the metric looks at; InputError when it cannot."""
    if metric != "auc":
        classes: Values = scoring.answers(outputs).astype(np.int16)
        return classes
    flat = outputs.reshape(len(outputs), -1).astype(np.float64)
    if flat.shape[1] == 1:
        flat = np.hstack([np.zeros_like(flat), flat])
    if flat.shape[1] == 2:
        lead: Values = (flat[:, 1] - flat[:, 0]).astype(np.float32)
        return lead
    raw = inputs.reshape(len(inputs), -1)
    if raw.shape == flat.shape:
        error: Values = np.square(flat - raw).mean(axis=1).astype(np.float32)
        return error
    raise InputError(
        "wrong_metric",
        f"auc needs one or two outputs, or an autoencoder's, and the model has {flat.shape[1]}",
        "use --metric top1 or f1",
    )


def check_truth(metric: Metric, truth: NDArray[np.int64]) -> None:
    """InputError unless the classes suit the metric."""
    if metric == "auc" and set(np.unique(truth).tolist()) != {0, 1}:
        raise InputError(
            "wrong_metric", "auc needs samples of class 0 and of class 1, and no others", "see y"
        )


def figure(metric: Metric, seen: Values, truth: NDArray[np.int64]) -> float:
    """The metric itself, 0 to 1."""
    if metric == "top1":
        return float((seen == truth).mean())
    if metric == "auc":
        return paired.auc(seen.astype(np.float64), truth == 1)
    answered = seen.astype(np.int64)
    classes = int(max(truth.max(), answered.max())) + 1
    return float(paired.macro_f1(truth, answered, np.ones(len(truth)), classes))
