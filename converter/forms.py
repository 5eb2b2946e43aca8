"""What the two quantising child processes have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter.int8_ends import with_int8_ends
from wire.errors import InputError, RefusedError

WIDE = "int16"
"""Argument that asks for the 16x8 form, ``int16.tflite``."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells besides its files."""

    shape: list[int]
    """Of the input, without the batch."""
    int16_refused: str = ""
    """Why there is no 16x8 form, when one was asked for."""


def int16_form(folder: Path, int8: bytes, make: Callable[[], bytes]) -> str:
    """Write ``int16.tflite``, the 16x8 file between the ends of ``int8``, or tell why there is none."""
    try:
        (folder / f"{WIDE}.tflite").write_bytes(with_int8_ends(make(), int8))
    except RefusedError as error:
        return error.message
    return ""


def fitting(x: Any, shape: tuple[int, ...], what: str) -> Any:
    """``x`` itself; InputError unless it is samples of the model's input."""
    if x.shape[1:] != shape:
        raise InputError(
            "wrong_shape",
            f"{what} samples have shape {x.shape[1:]}, the model takes {shape}",
            "give samples of the model's input",
        )
    return x


def refused(kind: str, error: Exception) -> RefusedError:
    """In TensorFlow Lite's words, on one line."""
    words = " ".join(str(error).split())
    return RefusedError(
        "not_convertible", f"TensorFlow Lite cannot make it {kind}: {words[:160]}", f"use {kind} operators"
    )


def one_by_one(calibration: Any) -> Iterator[list[Any]]:
    """Samples as a representative data set."""
    for window in calibration:
        yield [window[np.newaxis]]
