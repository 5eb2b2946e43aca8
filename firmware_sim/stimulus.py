"""Inputs for an emulated board, from an ``.npy`` file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from converter.image.graph import Tensor, read
from wire.errors import InputError, NotFoundError, RefusedError

_MAX_FILE_BYTES: Final = 512 * 1024 * 1024
_CONTINUOUS: Final = "f"


def load(file: Path, model: bytes) -> NDArray[np.int8]:
    """int8 (n, *input shape without the batch); numbers with a fraction are real units and are quantised.

    NotFoundError, InputError: no such file, no array, another shape. RefusedError: not an int8 model.
    """
    tensor = read(model).input
    if tensor.dtype != "INT8":
        raise RefusedError(
            "not_int8", f"the model takes {tensor.dtype.lower()} inputs", "convert it with tinyfleet convert"
        )
    values = _read(file)
    wanted = tensor.shape[1:]
    if values.shape[1:] != wanted or not len(values):
        raise InputError(
            "wrong_shape", f"inputs are {values.shape}, the model takes (n, {', '.join(map(str, wanted))})",
            "give one array of windows",
        )  # fmt: skip
    if values.dtype == np.int8:
        return values
    if values.dtype.kind != _CONTINUOUS or not np.isfinite(values).all():
        raise InputError(
            "wrong_dtype", f"inputs are {values.dtype}", "give int8, or finite floats in the model's units"
        )
    return _quantised(values.astype(np.float32), tensor)


def _quantised(values: NDArray[np.float32], tensor: Tensor) -> NDArray[np.int8]:
    steps = np.rint(values / np.float32(tensor.scale)) + np.float32(tensor.zero)
    quantised: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return quantised


def _read(file: Path) -> NDArray[Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
        if len(data) > _MAX_FILE_BYTES:
            raise ValueError(f"over {_MAX_FILE_BYTES} bytes")
        found = np.load(io.BytesIO(data), allow_pickle=False)
    except FileNotFoundError as error:
        raise NotFoundError("no_file", f"there is no file {file}", "check the path") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            "bad_inputs", f"cannot read {file}: {str(error)[:120]}", "write it with np.save"
        ) from error
    if not isinstance(found, np.ndarray) or found.ndim < 1:
        raise InputError("bad_inputs", f"{file} is not one array", "write it with np.save")
    return found
