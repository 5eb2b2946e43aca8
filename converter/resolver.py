"""Which ``Add*`` calls a ``MicroMutableOpResolver`` needs for a model.

Names as in ``tensorflow/lite/micro/micro_mutable_op_resolver.h`` of tflite-micro.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from converter.opset import BUILTINS
from wire.errors import RefusedError

_IRREGULAR: Final = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
_CUSTOM: Final = {
    "CIRCULAR_BUFFER": "CircularBuffer",
    "TFLM_DECODE": "Decode",
    "TFLite_Detection_PostProcess": "DetectionPostprocess",
    "ethos-u": "EthosU",
}
_SIGNAL: Final = "Signal"


def calls(ops: Iterable[str]) -> list[str]:
    """One call an operator, sorted; RefusedError for one that TFLM has not."""
    return sorted({f"Add{_stem(op)}" for op in ops})


def _stem(op: str) -> str:
    kind, _, custom = op.partition(" ")
    if kind == "CUSTOM" and custom in _CUSTOM:
        return _CUSTOM[custom]
    if kind == "CUSTOM" and custom.startswith(_SIGNAL):
        return custom.removeprefix(_SIGNAL)
    if op not in BUILTINS:
        raise RefusedError("no_operator", f"TFLM has no operator {op}", "convert the model without it")
    return _IRREGULAR.get(op) or "".join(map(_camel, op.split("_")))


def _camel(part: str) -> str:
    """``CONV`` -> ``Conv``; ``2D`` stays."""
    return part if part[0].isdigit() else part.capitalize()


def header(ops: Iterable[str]) -> str:
    """``model_ops.h``: a resolver with exactly these operators."""
    wanted = calls(ops)
    checks = "\n".join(
        f"  if (resolver.{call}() != kTfLiteOk) {{\n    return kTfLiteError;\n  }}" for call in wanted
    )
    return _HEADER.format(count=max(1, len(wanted)), checks=checks)


_HEADER: Final = """\
// The operators of model_data.c, and no others: the linker leaves out the code of the rest.
#ifndef MODEL_OPS_H_
#define MODEL_OPS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

constexpr unsigned int kModelOpCount = {count};
using ModelOpResolver = tflite::MicroMutableOpResolver<kModelOpCount>;

inline TfLiteStatus RegisterModelOps(ModelOpResolver& resolver) {{
{checks}
  return kTfLiteOk;
}}

#endif  // MODEL_OPS_H_
"""
