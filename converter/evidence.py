"""What the gate compared, kept so that anyone with the samples can compare again.

The float model does not travel with the bundle; its answers on the evaluation samples do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import gate, metrics
from converter.metrics import Metric, Values
from converter.samples import Samples
from wire import preprocess
from wire.errors import TrustError, WireError
from wire.limits import MAX_BUNDLE_BYTES
from wire.manifest import Preprocessing, TensorSpec
from wire.states import NumericsFamily

FILE: Final = "evidence/float32.npy"
"""In the bundle, not on devices: (n,), the float model's classes, or its scores for ``auc``."""
Outputs = Mapping[NumericsFamily, NDArray[np.int8]]


def float_values(metric: Metric, how: Preprocessing, given: Samples, outputs: NDArray[Any]) -> Values:
    """Of the float model's outputs on ``given``."""
    return metrics.values(metric, preprocess.apply(how, given.x), outputs)


def compare(
    metric: Metric, how: Preprocessing, given: Samples, output: TensorSpec, floats: Values, int8: Outputs
) -> dict[NumericsFamily, gate.Comparison]:
    """Float against every family's int8 outputs (n, ...) on the labelled samples ``given``."""
    if given.y is None:
        raise ValueError("labelled samples always have classes")
    inputs = preprocess.apply(how, given.x)
    compared: dict[NumericsFamily, gate.Comparison] = {}
    for family, outputs in int8.items():
        real = (outputs.astype(np.float64) - output.zero_point) * output.scale
        compared[family] = gate.compare(metric, given.y, floats, metrics.values(metric, inputs, real))
    return compared


def pack(floats: Values) -> bytes:
    """The file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(floats), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def unpack(data: bytes) -> Values:
    """The file's values; WireError when it is damaged."""
    try:
        if len(data) > MAX_BUNDLE_BYTES:
            raise ValueError(f"over {MAX_BUNDLE_BYTES} bytes")
        values: Values = np.load(io.BytesIO(data), allow_pickle=False)
        if values.ndim != 1 or values.dtype not in (np.int16, np.float32):
            raise ValueError(f"{values.dtype} of shape {values.shape}")
    except (ValueError, EOFError, AttributeError) as error:
        raise WireError(
            "malformed", f"gate's evidence: {str(error)[:120]}", "make the bundle again"
        ) from error
    return values


def claimed(lineage: Mapping[str, Any]) -> gate.Verdict | None:
    """The verdict that a manifest's lineage tells of; WireError when it is none."""
    if "gate" not in lineage:
        return None
    try:
        return msgspec.convert(lineage["gate"], gate.Verdict)
    except msgspec.ValidationError as error:
        raise WireError(
            "malformed", f"gate's verdict: {str(error)[:120]}", "make the bundle again"
        ) from error


def check_again(
    said: gate.Verdict,
    how: Preprocessing,
    given: Samples,
    output: TensorSpec,
    floats: Values,
    int8: Outputs,
) -> None:
    """TrustError unless the same samples give the same verdict, figure by figure."""
    if len(floats) == len(given.x):
        found = compare(said.metric, how, given, output, floats, int8)
        if gate.judge(said.metric, said.rule, said.max_drop, found) == said:
            return
    raise TrustError("false_evidence", "the gate's evidence is not what the manifest says", "convert again")
