"""A bundle in memory, ready to answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtimes import Int8, Interpreter, Opener
from wire import preprocess
from wire.errors import InputError
from wire.manifest import Manifest
from wire.messages import Hardware, ModelRef
from wire.part import check_memory, model_file

NOT_FINITE: Final = "not_finite"


class Answer(NamedTuple):
    """What a model says of one window."""

    label: int
    """Index of the largest output; the first of several equal ones."""
    confidence: float
    """That output in real numbers."""
    latency_ns: int
    """Time inside the interpreter only; of an emulated board, its own estimate."""
    tensor: Int8
    """What the interpreter was given."""


class LoadedModel:
    """One model in its interpreter, with the arithmetic around it."""

    def __init__(
        self,
        ref: ModelRef,
        manifest: Manifest,
        files: Mapping[str, bytes],
        hardware: Hardware,
        opener: Opener,
    ) -> None:
        """Load it; RefusedError when it does not fit or the interpreter will not have it."""
        needs = check_memory(manifest, hardware)  # what else was asked of it was so before it was accepted
        self.ref = ref
        self.manifest = manifest
        self.numerics = hardware.numerics
        model = files[model_file(hardware)]
        self._interpreter: Interpreter = opener(hardware.numerics, model, needs.ram_bytes)
        self.arena_bytes = self._interpreter.arena_bytes

    def run(self, window: Int8) -> Int8:
        """The interpreter's own output, of the manifest's shape without the batch."""
        return self._interpreter.run(window).reshape(self.manifest.output.shape[1:])

    def infer(self, raw: NDArray[np.float32]) -> Answer:
        """Answer to one raw sensor window; InputError when it is not the model's kind of window."""
        window = self._quantised(raw)
        start = time.perf_counter_ns()
        output = self._interpreter.run(window)
        latency_ns = self._interpreter.latency_ns or time.perf_counter_ns() - start
        label = int(np.argmax(output))
        confidence = preprocess.dequantise(self.manifest.output, output.reshape(-1)[label : label + 1])
        return Answer(label, float(confidence[0]), latency_ns, window)

    def _quantised(self, raw: NDArray[np.float32]) -> Int8:
        shape = self.manifest.input.shape[1:]
        if raw.size != np.prod(shape):
            raise InputError(
                "wrong_shape",
                f"a window of shape {raw.shape}, the model takes {tuple(shape)}",
                "check the sensor",
            )
        if not np.isfinite(raw).all():
            raise InputError(NOT_FINITE, "a window with NaN or infinity", "check the sensor")
        values = preprocess.apply(self.manifest.preprocessing, raw[np.newaxis])
        return preprocess.quantise(self.manifest.input, values).reshape(shape)
