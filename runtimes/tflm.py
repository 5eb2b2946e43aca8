"""The real TensorFlow Lite for Microcontrollers interpreter, from the tflite-micro wheel (x86-64)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime as _runtime

from wire.errors import RefusedError
from wire.states import Reason

VERSION: Final = f"tflite-micro {version('tflite-micro')}"
_MAX_LOG_BYTES: Final = 64 * 1024
_ARENA: Final = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


class Arena(NamedTuple):
    """What TFLM's recording allocator says, bytes, on a 64-bit host."""

    head: int
    tail: int
    total: int


class TflmInterpreter:
    """One model in TFLM; construction fails when it does not fit the arena."""

    def __init__(self, model: bytes, arena_bytes: int | None = None) -> None:
        with _captured_output() as log:
            try:
                self._interpreter = _runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
            except (RuntimeError, ValueError) as error:
                raise RefusedError(
                    Reason.RUNTIME_REFUSED,
                    f"TFLM refuses the model: {_reason(log) or error}",
                    "check the conversion",
                ) from error

    def run(self, window: NDArray[np.int8]) -> NDArray[np.int8]:
        """Output of one inference; shapes without the batch axis."""
        try:
            self._interpreter.set_input(window[np.newaxis], 0)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise RefusedError(
                Reason.RUNTIME_REFUSED, f"TFLM cannot run the model: {error}", "check the conversion"
            ) from error
        return cast(NDArray[np.int8], self._interpreter.get_output(0)[0])

    def arena(self) -> Arena:
        """Arena use after at least one inference."""
        with _captured_output() as log:
            self._interpreter.print_allocations()
            figures = {kind: int(size) for kind, size in _ARENA.findall(_read(log))}
        return Arena(figures["head"], figures["tail"], figures["total"])


@contextmanager
def _captured_output() -> Iterator[int]:
    """Send the C library's stdout and stderr to a file: TFLM has no other way to say why."""
    with tempfile.TemporaryFile() as log:
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield log.fileno()
        finally:
            for fd, target in zip(saved, (1, 2), strict=True):
                os.dup2(fd, target)
                os.close(fd)


def _read(log: int) -> str:
    return os.pread(log, _MAX_LOG_BYTES, 0).decode("utf-8", "replace")


def _reason(log: int) -> str:
    """TFLM's own complaint, on one line."""
    lines = [line for line in _read(log).splitlines() if not line.startswith("Number of resource variables")]
    return " ".join(lines)[:200]
