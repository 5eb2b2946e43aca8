"""Interpreters for int8 ``.tflite`` models behind one protocol, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wire.states import NumericsFamily

Int8 = NDArray[np.int8]


class Interpreter(Protocol):
    """One loaded model with one int8 input and one int8 output."""

    arena_bytes: int | None
    """Of the tensor arena; None where there is none."""
    latency_ns: int | None
    """What one inference takes where that is not what the host's clock says; None: time it."""

    def run(self, window: Int8) -> Int8:
        """Output of one inference; shapes without the batch axis."""


Opener = Callable[[NumericsFamily, bytes, int | None], Interpreter]
"""Like ``open_model``."""


def open_model(numerics: NumericsFamily, model: bytes, arena_bytes: int | None = None) -> Interpreter:
    """Load a model in the interpreter of a numerics family.

    ``arena_bytes`` is the tensor arena's size for tflm; None is the wheel's default, ten times the
    file, which a small file with large activations exceeds. xnnpack has no arena and ignores it.
    Raises RefusedError with the runtime's own words when it will not load the model.
    """
    if numerics is NumericsFamily.TFLM:
        from runtimes.tflm import TflmInterpreter

        return TflmInterpreter(model, arena_bytes)
    from runtimes.litert import LiteRtInterpreter

    return LiteRtInterpreter(model)


def runtime_version(numerics: NumericsFamily) -> str:
    """Name and version of the interpreter's package, such as ``ai-edge-litert 2.3.0``."""
    if numerics is NumericsFamily.TFLM:
        from runtimes.tflm import VERSION
    else:
        from runtimes.litert import VERSION
    return VERSION
