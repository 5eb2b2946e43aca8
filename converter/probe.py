"""Whether TFLM runs a model, whatever its inputs and outputs are, and in which arena.

The model runs once on made-up inputs, in a child process: it may be anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from converter import child
from converter.arena import ArenaReport, generous_bytes, holds_in_fork, smallest
from converter.child import serve
from converter.flatbuffer import Tensor, parse
from wire.errors import RefusedError
from wire.states import Reason

_SEED: Final = 5
_TIMEOUT_S: Final = 120.0
_ADDRESS_SPACE_BYTES: Final = 4 * 1024**3
#: Range of the random values; whole numbers that may be indices or lengths are 0.
_INTEGERS: Final[dict[str, Any]] = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
}
_ZEROS: Final = {"INT32": np.int32, "INT64": np.int64, "UINT32": np.uint32, "BOOL": np.bool_}


def probe(model: bytes) -> ArenaReport:
    """Arena of a model that TFLM runs; RefusedError in TFLM's words when it does not."""
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        return child.call("converter.probe", folder, facts=ArenaReport, timeout_s=_TIMEOUT_S)


def _work(folder: Path, _args: list[str]) -> ArenaReport:
    from runtimes.tflm import TflmInterpreter

    model = (folder / "model.tflite").read_bytes()
    parsed = parse(model)
    main = parsed.graphs[0]
    dice = np.random.default_rng(_SEED)
    inputs = [_values(main.tensors[index], dice) for index in main.inputs]
    interpreter = TflmInterpreter(model, generous_bytes(len(model), parsed.activation_bytes))
    expected = interpreter.run_all(inputs, len(main.outputs))
    used = interpreter.arena()

    def runs_in(arena_bytes: int) -> bool:
        return holds_in_fork(
            lambda: _same(TflmInterpreter(model, arena_bytes).run_all(inputs, len(expected)), expected)
        )

    least = smallest(runs_in, used.total)
    return ArenaReport(head=used.head, tail=used.tail, total=used.total, confirmed_min=least)


def _values(tensor: Tensor, dice: np.random.Generator) -> NDArray[Any]:
    if tensor.dtype == "FLOAT32":
        return dice.standard_normal(tensor.shape, np.float32)
    if tensor.dtype in _INTEGERS:
        kind = _INTEGERS[tensor.dtype]
        limits = np.iinfo(kind)
        return dice.integers(limits.min, limits.max, tensor.shape, kind, endpoint=True)
    if tensor.dtype in _ZEROS:
        return np.zeros(tensor.shape, _ZEROS[tensor.dtype])
    raise RefusedError(
        Reason.RUNTIME_REFUSED, f"an input is {tensor.dtype.lower()}, which TFLM does not take", "use int8"
    )


def _same(answers: Sequence[NDArray[Any]], expected: Sequence[NDArray[Any]]) -> bool:
    return all(one.tobytes() == other.tobytes() for one, other in zip(answers, expected, strict=True))


if __name__ == "__main__":
    serve(_work, _ADDRESS_SPACE_BYTES)
