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
POOL: Final = 64
"""Noise inputs to choose from."""
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
    """Candidates for golden inputs, the same on every run; ``most_varied`` has the last word.

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
        return Inputs(noise(spec), f"int8 noise of many sizes, seed {SEED}, chosen for varied outputs")
    return Inputs(preprocess.quantise(spec, preprocess.apply(source.preprocessing, raw)), origin)


def noise(spec: TensorSpec) -> Int8:
    """Random inputs around random levels: a trained model gives all loud white noise one answer."""
    dice = np.random.default_rng(SEED)
    shape = tuple(spec.shape[1:])
    each = (POOL, *(1 for _ in shape[:-1]))
    size = 2.0 ** dice.uniform(0, 7, (*each, 1))
    level = dice.uniform(-1, 1, (*each, shape[-1])) * 127
    values = level + size * dice.standard_normal((POOL, *shape))
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


def most_varied(outputs: Int8, count: int) -> NDArray[np.intp]:
    """Indices of ``count`` outputs that differ much: each next is the farthest from all before (L1)."""
    flat = outputs.reshape(len(outputs), -1).astype(np.int64)
    chosen = [0]
    nearest = np.abs(flat - flat[0]).sum(axis=1)
    while len(chosen) < min(count, len(flat)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.abs(flat - flat[chosen[-1]]).sum(axis=1))
        nearest[chosen] = -1
    return np.sort(np.array(chosen, np.intp))


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
    # TFLM's before the inputs, LiteRT's behind: what either device needs lies together (wire.part).
    named = {output_file(family): values for family, values in outputs.items()}
    last = {path: named.pop(path) for path in [output_file(NumericsFamily.XNNPACK)] if path in named}
    named |= {INPUTS_FILE: inputs, **last}
    return {path: _npy(values) for path, values in named.items()}


def entry(files: Mapping[str, bytes]) -> Golden:
    """What the manifest says of the golden files among ``files``."""
    outputs = {family: output_file(family) for family in NumericsFamily if output_file(family) in files}
    return Golden(inputs=INPUTS_FILE, outputs=outputs)


def _npy(values: Int8) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return file.getvalue()
