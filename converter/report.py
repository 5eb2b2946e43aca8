"""What a conversion found, for the command line and for the model card."""

from __future__ import annotations

import msgspec

from converter.arena import ArenaReport
from wire.errors import RefusedError
from wire.manifest import Evaluation, Preprocessing, TargetNeeds, TensorSpec
from wire.states import NumericsFamily


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure is of an execution, but for LiteRT's RAM, which is an upper bound by computation."""

    model: str
    version: int
    bytes: int
    """Of ``model.tflite``."""
    ops: list[str]
    input: TensorSpec
    output: TensorSpec
    preprocessing: Preprocessing
    arena: ArenaReport | None
    """None when no target needs TFLM."""
    evaluation: Evaluation
    accuracy: dict[str, float]
    """By ``float32`` and numerics family."""
    drop: float | None
    """Accuracy lost from float to the worst int8 family; None without a float model or samples."""
    families_agree: float | None
    """Share of samples to which both families give the same class."""
    confusion: list[list[int]]
    """Of the first int8 family; row = true class, column = answer."""
    golden: str
    """Where the golden inputs are from."""
    targets: dict[str, TargetNeeds]
    payload_bytes: int


def accuracies(evaluation: Evaluation) -> dict[str, float]:
    """The scores as shares."""
    scores = {str(family): score.accuracy for family, score in evaluation.int8.items()}
    return ({"float32": evaluation.float32.accuracy} if evaluation.float32 else {}) | scores


def accuracy_drop(evaluation: Evaluation) -> float | None:
    """Float accuracy less that of the worst int8 family; None when either was not measured."""
    if evaluation.float32 is None or not evaluation.int8:
        return None
    return evaluation.float32.accuracy - min(score.accuracy for score in evaluation.int8.values())


def worst_family(evaluation: Evaluation) -> NumericsFamily | None:
    """The int8 family with the lowest score."""
    return min(evaluation.int8, key=lambda family: evaluation.int8[family].correct, default=None)


def check_gate(evaluation: Evaluation, max_drop: float) -> None:
    """RefusedError when quantisation costs more accuracy than ``max_drop`` allows."""
    drop = accuracy_drop(evaluation)
    if drop is not None and drop > max_drop:
        raise RefusedError(
            "accuracy_drop",
            f"int8 ({worst_family(evaluation)}) loses {drop:.3f} of the float accuracy, "
            f"more than {max_drop:.3f}",
            "calibrate with more varied samples, or allow it with --max-drop",
        )
