"""What happens between the sensor and the input tensor, the same everywhere.

All arithmetic is float32 in the order written here, so trainer, converter and devices get the
same int8 values bit for bit. A change of the arithmetic is a new ``kind``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wire.errors import InputError, RefusedError
from wire.manifest import Preprocessing, TensorSpec
from wire.states import Reason

KINDS: Final = ("none", "standardise-v1")
"""What this release can do; a device says so itself, and older ones are taken to know the first two."""
Float = NDArray[np.float32]
Int8 = NDArray[np.int8]


def apply(spec: Preprocessing, windows: NDArray[np.floating]) -> Float:
    """Model input in real numbers from raw sensor windows, shape (n, ..., channels), float32."""
    raw = windows.astype(np.float32)
    if spec.kind == "none":
        return raw
    if spec.kind != "standardise-v1":
        raise RefusedError(
            Reason.PREPROCESSING, f"preprocessing {spec.kind} is not known here", "update tinyfleet"
        )
    if raw.shape[-1] != len(spec.mean):
        raise InputError(
            "wrong_channels",
            f"data has {raw.shape[-1]} channels, the model takes {len(spec.mean)}",
            "use data of the same sensor",
        )
    mean: Float = np.array(spec.mean, np.float32)
    std: Float = np.array(spec.std, np.float32)
    return (raw - mean) / std


def quantise(spec: TensorSpec, values: Float) -> Int8:
    """int8 tensor values, shape unchanged: round-half-even(value / scale) + zero point, saturated."""
    steps = np.rint(values / np.float32(spec.scale)) + np.float32(spec.zero_point)
    quantised: Int8 = np.clip(steps, -128, 127).astype(np.int8)
    return quantised


def dequantise(spec: TensorSpec, values: Int8) -> Float:
    """Real numbers from int8 tensor values, shape unchanged."""
    return (values.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)
