"""Per-channel standardisation, fitted on the train groups only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wire.manifest import Preprocessing


def fit(x: NDArray[np.float32]) -> Preprocessing:
    """Mean and population standard deviation of each channel of (n, ..., channels), in float64."""
    wide = x.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    mean = wide.mean(axis=axes)
    std = wide.std(axis=axes)
    # A channel that never moved would divide by zero; 1 leaves it at zero.
    std[std == 0] = 1.0
    return Preprocessing(kind="standardise-v1", mean=tuple(mean.tolist()), std=tuple(std.tolist()))
