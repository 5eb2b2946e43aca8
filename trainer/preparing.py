"""Preprocessing that a training can choose; what it finds out from the train windows goes with the model.

A kind is one of ``wire.preprocess``'s: what it computes is there, here is only how its numbers are found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer import standardiser
from trainer.data.dataset import Kind
from wire.errors import InputError
from wire.manifest import Preprocessing

FIT: Final[dict[str, Callable[[NDArray[np.float32]], Preprocessing]]] = {
    "standardise-v1": standardiser.fit,
    "none": lambda _x: Preprocessing(),
}
CHOICES: Final[dict[Kind, tuple[str, ...]]] = {
    "series": ("standardise-v1", "none"),
    "audio": ("standardise-v1",),
    "image": ("standardise-v1", "none"),
    "table": ("standardise-v1",),
}
"""By kind of data, what a search tries."""


def fit(kind: str, x: NDArray[np.float32]) -> Preprocessing:
    """The preprocessing ``kind`` for train windows (n, ..., channels); InputError lists what there is."""
    if kind not in FIT:
        raise InputError("unknown_preprocessing", f"there is no {kind!r}", f"use {', '.join(FIT)}")
    return FIT[kind](x)
