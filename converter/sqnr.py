"""Where accuracy goes: signal to quantisation noise of each operator's output, int8 against float.

Child process. Folder: ``float.tflite``, the file that the argument names (of the same weights) and
``inputs.npy`` (n, *input shape without the batch). LiteRT's plain kernels, every tensor kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.child import serve

_CAP_DB: Final = 200.0
"""For a tensor without any noise."""
Tensors = dict[str, tuple[str, NDArray[np.float64]]]


class LayerNoise(msgspec.Struct, frozen=True, kw_only=True):
    """One operator's output; what came before it has left its noise there too."""

    op: str
    tensor: str
    sqnr_db: float


def sqnr_db(signal: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """10 log10(sum x^2 / sum (x - seen)^2), dB; capped for no noise and for no signal."""
    noise, power = float(np.square(signal - seen).sum()), float(np.square(signal).sum())
    if noise == 0.0:
        return _CAP_DB
    return max(-_CAP_DB, min(_CAP_DB, 10 * math.log10(power / noise))) if power else -_CAP_DB


def by_layer(signals: Tensors, seen: Tensors) -> list[LayerNoise]:
    """Tensors of the same name, worst first."""
    found = [
        LayerNoise(op=op, tensor=_short(name), sqnr_db=round(sqnr_db(signal, seen[name][1]), 2))
        for name, (op, signal) in signals.items()
        if name in seen and seen[name][1].shape == signal.shape
    ]
    return sorted(found, key=lambda layer: (layer.sqnr_db, layer.tensor))


def _short(name: str) -> str:
    """First of the names that were fused into one."""
    return name.split(";", maxsplit=1)[0][:120]


def work(folder: Path, args: list[str]) -> list[LayerNoise]:
    """Compare the two models of the folder."""
    inputs = np.load(folder / "inputs.npy")
    return by_layer(_tensors(folder / "float.tflite", inputs), _tensors(folder / args[0], inputs))


def _tensors(file: Path, inputs: NDArray[np.float32]) -> Tensors:
    """Every operator's output over all inputs, in real units."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(file),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    ops = {int(i): op["op_name"] for op in interpreter._get_ops_details() for i in op["outputs"]}
    seen: dict[int, list[NDArray[np.float64]]] = {index: [] for index in ops}
    given = interpreter.get_input_details()[0]
    for window in inputs:
        interpreter.set_tensor(given["index"], _to_tensor(given, window[np.newaxis]))
        interpreter.invoke()
        for index in ops:
            seen[index].append(_to_real(details[index], interpreter.get_tensor(index)))
    return {details[i]["name"]: (op, np.stack(seen[i])) for i, op in ops.items()}


def _to_tensor(detail: dict[str, Any], window: NDArray[np.float32]) -> NDArray[Any]:
    if detail["dtype"] is np.float32:
        return window
    scale, zero_point = detail["quantization"]
    quantised: NDArray[np.int8] = np.clip(np.rint(window / scale) + zero_point, -128, 127).astype(np.int8)
    return quantised


def _to_real(detail: dict[str, Any], values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    scale, zero_point = detail["quantization"]
    real: NDArray[np.float64] = (values.astype(np.float64) - zero_point) * (scale or 1.0)
    return real


if __name__ == "__main__":
    serve(work, 4 * 1024**3)
