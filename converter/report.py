"""What a conversion found, for the command line and for the model card."""

from __future__ import annotations

from typing import Literal

import msgspec

from converter.arena import ArenaReport
from converter.gate import Comparison, Verdict
from converter.planning.apply import PlanReport
from converter.recipe import Recipe
from converter.sqnr import LayerNoise
from wire.manifest import Evaluation, Preprocessing, TargetNeeds, TensorSpec
from wire.states import NumericsFamily

Kind = Literal["int8", "int16"]
"""Of activations; weights, input and output are int8."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One int8 file made of the source: the shipped one, or one to compare it with."""

    name: str
    activations: Kind = "int8"
    bytes: int = 0
    """0 for one that could not be made."""
    deflate_bytes: int = 0
    """When it travels compressed."""
    families: dict[NumericsFamily, Comparison] = {}
    """Against the original float model."""
    refused: str = ""
    """Why it could not be made or run, or in which families it does not run."""


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
    """Top-1 lost from float to the worst int8 family; None without a float model or samples."""
    families_agree: float | None
    """Share of samples to which both families give the same class."""
    confusion: list[list[int]]
    """Of the first int8 family; row = true class, column = answer."""
    golden: str
    """Where the golden inputs are from."""
    targets: dict[str, TargetNeeds]
    payload_bytes: int
    gate: Verdict | None = None
    """None without a float model or without labelled samples."""
    layers: list[LayerNoise] = []
    """Where accuracy goes, worst first; of Keras sources."""
    recipe: Recipe = Recipe()
    variants: list[Variant] = []
    """The shipped file first; plain quantisation beside it when there was a recipe, and the file with the
    other activations when int16 was asked for."""
    activations: Kind = "int8"
    """Of the shipped file."""
    refused: dict[NumericsFamily, str] = {}
    """Families that cannot run the model and for whose targets it is not built, with the reasons."""
    plan: PlanReport | None = None
    """What ``--plan`` gained; None without it."""


def accuracies(evaluation: Evaluation) -> dict[str, float]:
    """The scores as shares."""
    scores = {str(family): score.accuracy for family, score in evaluation.int8.items()}
    return ({"float32": evaluation.float32.accuracy} if evaluation.float32 else {}) | scores


def accuracy_drop(evaluation: Evaluation) -> float | None:
    """Float accuracy less that of the worst int8 family; None when either was not measured."""
    if evaluation.float32 is None or not evaluation.int8:
        return None
    return evaluation.float32.accuracy - min(score.accuracy for score in evaluation.int8.values())
