"""LiteRT (XNNPACK kernels): ai-edge-litert, or its predecessor tflite-runtime on old Pis."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from runtimes.console import captured
from wire.errors import RefusedError
from wire.states import Reason

try:
    from ai_edge_litert.interpreter import Interpreter as _Interpreter

    VERSION: Final = f"ai-edge-litert {version('ai-edge-litert')}"
except ModuleNotFoundError:
    from tflite_runtime.interpreter import Interpreter as _Interpreter

    VERSION: Final = f"tflite-runtime {version('tflite-runtime')}"  # type: ignore[misc]


class LiteRtInterpreter:
    """One model in LiteRT, single-threaded so that latency is comparable."""

    arena_bytes: int | None = None
    latency_ns: int | None = None

    def __init__(self, model: bytes) -> None:
        try:
            with captured():  # it announces its delegate
                self._interpreter = _Interpreter(model_content=model, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RefusedError(
                Reason.RUNTIME_REFUSED,
                f"LiteRT refuses the model: {str(error)[:160]}",
                "check the conversion",
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, window: NDArray[np.int8]) -> NDArray[np.int8]:
        """Output of one inference; shapes without the batch axis."""
        try:
            self._interpreter.set_tensor(self._input, window[np.newaxis])
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise RefusedError(
                Reason.RUNTIME_REFUSED,
                f"LiteRT cannot run the model: {str(error)[:160]}",
                "check the conversion",
            ) from error
        return cast(NDArray[np.int8], self._interpreter.get_tensor(self._output)[0])
