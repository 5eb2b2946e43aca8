"""Models run by the real runtimes in a child process, many by one; a crash is an answer for its batch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from enum import StrEnum
from typing import NamedTuple

import numpy as np

_ARENA_BYTES = 1024 * 1024
_SEED = 5


class Kernels(StrEnum):
    """Whose arithmetic."""

    TFLM = "tflm"
    REFERENCE = "litert reference"
    XNNPACK = "litert xnnpack"


class Ran(NamedTuple):
    """What one runtime made of one model."""

    outputs: np.ndarray
    """(windows, *output shape): the first output."""
    head: int
    """Bytes of TFLM's head; 0 for the others."""
    refusal: str = ""
    """The runtime's words when it did not run; ``outputs`` are empty then."""


class Sandbox:
    """One child process, started again after a crash."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def run(self, models: Sequence[bytes], kernels: Kernels = Kernels.TFLM, windows: int = 3) -> list[Ran]:
        """Each model on the same random windows whatever the kernels; a crash refuses the whole batch."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("forkserver"))
        try:
            return self._pool.submit(_run_all, list(models), kernels, windows).result(timeout=120)
        except BrokenProcessPool:
            self._pool = None
            return [Ran(np.empty(0), 0, "crashed") for _ in models]

    def close(self) -> None:
        """End the child."""
        if self._pool is not None:
            self._pool.shutdown()


def windows_of(model: bytes, count: int) -> np.ndarray:
    """Random int8 inputs, (count, *input shape)."""
    from converter.flatbuffer import parse

    graph = parse(model).graphs[0]
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(_SEED).integers(-128, 128, (count, *shape), np.int8)


def _run_all(models: list[bytes], kernels: Kernels, windows: int) -> list[Ran]:
    run = _tflm if kernels is Kernels.TFLM else _litert
    return [run(model, windows_of(model, windows), kernels) for model in models]


def _tflm(model: bytes, windows: np.ndarray, _kernels: Kernels) -> Ran:
    from runtimes.tflm import TflmInterpreter
    from wire.errors import RefusedError

    try:
        interpreter = TflmInterpreter(model, _ARENA_BYTES)
        outputs = np.stack([interpreter.run_all([window], 1)[0] for window in windows])
    except RefusedError as error:
        return Ran(np.empty(0), 0, error.message)
    return Ran(outputs, interpreter.arena().head)


def _litert(model: bytes, windows: np.ndarray, kernels: Kernels) -> Ran:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from runtimes.console import captured

    resolver = OpResolverType.BUILTIN_REF if kernels is Kernels.REFERENCE else OpResolverType.AUTO
    outputs = []
    try:
        with captured():
            interpreter = Interpreter(
                model_content=model, num_threads=1, experimental_op_resolver_type=resolver
            )
            interpreter.allocate_tensors()
        for window in windows:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window)
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    except (ValueError, RuntimeError) as error:
        return Ran(np.empty(0), 0, str(error))
    return Ran(np.stack(outputs), 0)
