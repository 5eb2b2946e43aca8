"""tflite-micro in one child process that answers for many models; a model that crashes it costs a new one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from converter.image.lookup import INPUTS

_ARENA_BYTES = 1 << 20
_ANSWER_S = 60.0


class Oracle:
    """``outputs`` as tflite-micro gives them; what it refuses comes back as its words."""

    def __init__(self) -> None:
        self._start()

    def outputs(self, model: bytes, inputs: list[np.ndarray]) -> list[bytes] | str:
        """One interpreter, one inference after the other: kept state goes from one to the next."""
        try:
            self._pipe.send((model, inputs))
            if not self._pipe.poll(_ANSWER_S):
                raise EOFError
            return self._pipe.recv()
        except (EOFError, BrokenPipeError):
            self.close()
            self._start()
            return "crashed"

    def tables(self, models: Sequence[bytes]) -> list[np.ndarray | str]:
        """For ``compile_image``, as its own child makes them, but without starting one for each image."""
        found = [self.outputs(model, [INPUTS]) for model in models]
        return [one if isinstance(one, str) else np.frombuffer(one[0], np.int8) for one in found]

    def close(self) -> None:
        self._child.kill()
        self._child.join()
        self._pipe.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(target=serve, args=(theirs,), daemon=True)
        self._child.start()
        theirs.close()


def serve(pipe: Connection) -> None:
    """The child's side."""
    from runtimes.tflm import TflmInterpreter
    from wire.errors import FleetError

    while True:
        try:
            model, inputs = pipe.recv()
        except EOFError:
            return
        answer: Any
        try:
            interpreter = TflmInterpreter(model, _ARENA_BYTES)
            answer = [interpreter.run_all([values], 1)[0].tobytes() for values in inputs]
        except FleetError as error:
            answer = error.message
        pipe.send(answer)
