"""Golden vectors: a few inputs with the exact int8 outputs that a sound device gives.

A device runs them after it installs a model and before it trusts it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.quantise import spread
from converter.source import Source
from wire import preprocess
from wire.errors import RefusedError
from wire.limits import MAX_GOLDEN_BYTES
from wire.manifest import Golden, TensorSpec
from wire.states import NumericsFamily

MOST: Final = 8
"""Vectors at most; fewer when they would take more room than half the model."""
LEAST: Final = 2
INPUTS_FILE: Final = "golden/inputs.npy"
SEED: Final = 0
_NPY_HEADER_BYTES: Final = 256

Int8 = NDArray[np.int8]


class Inputs(NamedTuple):
    """The chosen inputs, and in words where they are from."""

    values: Int8
    origin: str


def output_file(family: NumericsFamily) -> str:
    """Path in the bundle of a family's expected outputs."""
    return f"golden/{family}.npy"


def count_for(item_bytes: int, model_bytes: int) -> int:
    """How many inputs a device is asked to store; RefusedError when not even the fewest fit the limit."""
    count = max(LEAST, min(MOST, model_bytes // 2 // item_bytes))
    if count * item_bytes + _NPY_HEADER_BYTES > MAX_GOLDEN_BYTES:
        raise RefusedError(
            "oversize",
            f"one input has {item_bytes} bytes, too many for golden vectors",
            "use a smaller input",
        )
    return count


def choose(source: Source, spec: TensorSpec, count: int) -> Inputs:
    """Inputs for golden vectors, the same on every run.

    Evaluation samples, classes in turn; else calibration samples, evenly spaced; else, for a bare
    ``.tflite``, seeded noise, which exercises the arithmetic though it means nothing.
    """
    if source.evaluation is not None and source.evaluation.y is not None:
        index, origin = in_turn(source.evaluation.y, count), "evaluation samples, classes in turn"
        raw = source.evaluation.x[index]
    elif source.calibration is not None:
        raw = source.calibration.x[spread(len(source.calibration.x), count)]
        origin = "calibration samples, evenly spaced"
    else:
        noise = np.random.default_rng(SEED).integers(-128, 128, (count, *spec.shape[1:]), np.int8)
        return Inputs(noise, f"uniform int8 noise, seed {SEED}")
    return Inputs(preprocess.quantise(spec, preprocess.apply(source.preprocessing, raw)), origin)


def in_turn(y: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """The first sample of every class, then the second of every class, and so on."""
    turn = np.zeros(len(y), np.int64)
    for label in np.unique(y):
        turn[y == label] = np.arange(np.count_nonzero(y == label))
    return np.lexsort((y, turn))[:count]


def check_telling(outputs: Int8) -> None:
    """RefusedError when all outputs are alike: a dead model would pass such a test."""
    if len(outputs) < 2 or (outputs == outputs[0]).all():
        raise RefusedError(
            "dull_golden",
            f"the model gives the same answer to all {len(outputs)} golden inputs",
            "give varied samples with --calibration or --eval, or check the model",
        )


def files(inputs: Int8, outputs: dict[NumericsFamily, Int8]) -> dict[str, bytes]:
    """The ``.npy`` files by their paths in the bundle."""
    named = {INPUTS_FILE: inputs, **{output_file(family): values for family, values in outputs.items()}}
    return {path: _npy(values) for path, values in named.items()}


def entry(files: Mapping[str, bytes]) -> Golden:
    """What the manifest says of the golden files among ``files``."""
    outputs = {family: output_file(family) for family in NumericsFamily if output_file(family) in files}
    return Golden(inputs=INPUTS_FILE, outputs=outputs)


def _npy(values: Int8) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return file.getvalue()
