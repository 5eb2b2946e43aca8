"""Golden vectors: what a model must answer, bit for bit, before it may answer anyone else."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from device_agent.loaded_model import LoadedModel
from runtimes import Int8
from wire.errors import RefusedError, WireError
from wire.limits import MAX_GOLDEN_BYTES
from wire.states import Reason


def check_golden(model: LoadedModel, files: Mapping[str, bytes]) -> Iterator[int]:
    """Run the golden vectors of the model's numerics family, yielding the index of each that passed.

    Raises RefusedError (``self_test``) at the first that differs, WireError for unusable vectors.
    """
    golden = model.manifest.golden
    if model.numerics not in golden.outputs:
        raise RefusedError(
            Reason.SELF_TEST, f"no golden vectors for {model.numerics}", "convert it for this target"
        )
    inputs = read_npy(files[golden.inputs], model.manifest.input.shape[1:])
    outputs = read_npy(files[golden.outputs[model.numerics]], model.manifest.output.shape[1:])
    if not len(inputs) or len(inputs) != len(outputs):
        raise WireError("malformed", "golden inputs and outputs do not pair up", "make the bundle again")
    for index, (window, expected) in enumerate(zip(inputs, outputs, strict=True)):
        answer = model.run(window)
        if not np.array_equal(answer, expected):
            raise RefusedError(Reason.SELF_TEST, _difference(model, index, expected, answer), "")
        yield index


def read_npy(data: bytes, shape: Sequence[int]) -> Int8:
    """An int8 ``.npy`` of shape (k, *shape), k whatever the header says; WireError for anything else."""
    file = io.BytesIO(data)
    try:
        if len(data) > MAX_GOLDEN_BYTES or np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("too large, or not version 1.0")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise WireError("malformed", f"golden vectors: {error}"[:200], "make the bundle again") from error
    body = data[file.tell() :]
    if dtype != np.int8 or fortran or tuple(found[1:]) != tuple(shape) or math.prod(found) != len(body):
        raise WireError(
            "malformed", f"golden vectors are {dtype} {found}, not int8 (k, {shape})", "make the bundle again"
        )
    return np.frombuffer(body, np.int8).reshape(found)


def _difference(model: LoadedModel, index: int, expected: Int8, answer: Int8) -> str:
    differ = int(np.count_nonzero(expected != answer))
    outputs = f"golden vector {index}: {differ} of {expected.size} outputs differ"
    wanted, got = int(np.argmax(expected)), int(np.argmax(answer))
    if wanted == got:
        return outputs
    names = {label: name for label, name in enumerate(model.manifest.labels) if label in (wanted, got)}
    return f"{outputs}, expected class {names.get(wanted, wanted)} got {names.get(got, got)}"
