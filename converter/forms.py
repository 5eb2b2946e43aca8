"""What the quantising child processes have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wire.errors import InputError, RefusedError


def fitting(x: Any, shape: tuple[int, ...], what: str) -> Any:
    """``x`` itself; InputError unless it is samples of the model's input."""
    if x.shape[1:] != shape:
        raise InputError(
            "wrong_shape",
            f"{what} samples have shape {x.shape[1:]}, the model takes {shape}",
            "give samples of the model's input",
        )
    return x


def one_by_one(calibration: Any) -> Iterator[list[Any]]:
    """Samples as a representative data set."""
    for window in calibration:
        yield [window[np.newaxis]]


def refused(kind: str, error: Exception) -> RefusedError:
    """In TensorFlow Lite's words, on one line."""
    words = " ".join(str(error).split())
    return RefusedError(
        "not_convertible", f"TensorFlow Lite cannot make it {kind}: {words[:160]}", f"use {kind} operators"
    )
