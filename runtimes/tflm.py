"""The real TensorFlow Lite for Microcontrollers interpreter, from the tflite-micro wheel (x86-64)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime as _runtime

from runtimes.console import captured
from wire.errors import RefusedError
from wire.states import Reason

VERSION: Final = f"tflite-micro {version('tflite-micro')}"
_ARENA: Final = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


class Arena(NamedTuple):
    """What TFLM's recording allocator says, bytes, on a 64-bit host."""

    head: int
    tail: int
    total: int


class TflmInterpreter:
    """One model in TFLM; construction fails when it does not fit the arena."""

    latency_ns: int | None = None

    def __init__(self, model: bytes, arena_bytes: int | None = None) -> None:
        self.arena_bytes = arena_bytes
        with captured() as log:
            try:
                self._interpreter = _runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
            except (RuntimeError, ValueError) as error:
                raise RefusedError(
                    Reason.RUNTIME_REFUSED,
                    f"TFLM refuses the model: {_reason(log()) or error}",
                    "check the conversion",
                ) from error

    def run(self, window: NDArray[np.int8]) -> NDArray[np.int8]:
        """Output of one inference; shapes without the batch axis."""
        return cast(NDArray[np.int8], self.run_all([window[np.newaxis]], 1)[0][0])

    def run_all(self, inputs: Sequence[NDArray[Any]], outputs: int) -> list[NDArray[Any]]:
        """The first ``outputs`` outputs of one inference; shapes and types as the model has them."""
        try:
            for place, values in enumerate(inputs):
                self._interpreter.set_input(values, place)
            self._interpreter.invoke()
            return [self._interpreter.get_output(place) for place in range(outputs)]
        except (RuntimeError, ValueError) as error:
            raise RefusedError(
                Reason.RUNTIME_REFUSED,
                f"TFLM cannot run the model: {self._complaint() or error}",
                "check the conversion",
            ) from error

    def _complaint(self) -> str:
        """What TFLM says when the inference is tried again; the first time nobody listened, to be fast."""
        with captured() as log:
            with suppress(RuntimeError, ValueError):
                self._interpreter.invoke()
            return _reason(log())

    def arena(self) -> Arena:
        """Arena use after at least one inference."""
        with captured() as log:
            self._interpreter.print_allocations()
            figures = {kind: int(size) for kind, size in _ARENA.findall(log())}
        return Arena(figures["head"], figures["tail"], figures["total"])


def _reason(log: str) -> str:
    """TFLM's own complaint, on one line."""
    lines = [line for line in log.splitlines() if not line.startswith("Number of resource variables")]
    return " ".join(lines)[:200]
