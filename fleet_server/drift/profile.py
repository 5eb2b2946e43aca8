"""The statistics that are watched, from sums that devices report. All arrays have any leading shape (...)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: A standard deviation below it is a sensor that does not move.
_STILL: Final = 1e-6


def inputs(mean: Floats, std: Floats) -> Floats:
    """What the sensor gave, whichever model reads it: mean and log spread of each channel (..., c)."""
    return np.concatenate([mean, np.log(np.maximum(std, _STILL))], axis=-1)


def answers(tensor: Floats, classes: Floats, confidence: Floats) -> Floats:
    """What one version was given and said: shares of its int8 inputs, classes and confidence, each (..., k).

    The int8 inputs depend on the version's own normalisation and scale.
    """
    return np.concatenate([shares(tensor), shares(classes), shares(confidence)], axis=-1)


def accuracy(correct: Floats, labelled: Floats) -> Floats:
    """How right it was, (...) to (..., 1), on the scale of :func:`shares`."""
    return shares(np.stack([correct, labelled - correct], axis=-1))[..., :1]


def shares(counts: Floats) -> Floats:
    """2 arcsin(sqrt(share)) of counts (..., k): its variance hardly depends on the share.

    M. S. Bartlett, "The square root transformation in analysis of variance", JRSS Supplement 3 (1936); zero
    counts are zero shares.
    """
    total = np.maximum(counts.sum(axis=-1, keepdims=True), 1.0)
    found: Floats = 2.0 * np.arcsin(np.sqrt(np.clip(counts / total, 0.0, 1.0)))
    return found


def share(value: float) -> float:
    """The share behind a value of :func:`shares`."""
    return float(np.square(np.sin(value / 2.0)))
