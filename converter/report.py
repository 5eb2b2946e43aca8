"""What a conversion found, for the command line and for the model card."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from converter.arena import ArenaReport
from converter.fit import Fit
from converter.gate import Comparison, Verdict
from converter.image.attempt import ImageReport
from converter.planning.apply import PlanReport
from converter.recipe import Recipe
from converter.settings import Settings
from converter.sqnr import LayerNoise
from wire.errors import WireError
from wire.manifest import Evaluation, Preprocessing, TargetNeeds, TensorSpec
from wire.states import NumericsFamily

Kind = Literal["int8", "int16"]
"""Of activations; weights, input and output are int8."""
FILE: Final = "report.json"
_MAX_BYTES: Final = 4 * 1024 * 1024


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The author's words, as a run folder has them; empty where nobody said anything."""

    title: str = ""
    intended_use: str = ""
    limits: str = ""


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
    image: ImageReport | None = None
    """The form for microcontrollers; None when none was asked for."""
    activations: Kind = "int8"
    """Of the shipped file."""
    refused: dict[NumericsFamily, str] = {}
    """Families that cannot run the model and for whose targets it is not built, with the reasons."""
    plan: PlanReport | None = None
    """What ``--plan`` gained; None without it."""
    macs: int = 0
    """Multiply-accumulates of one inference."""
    fits: dict[str, Fit] = {}
    """By board, of the targets that the bundle is built for."""
    about: About = About()
    settings: Settings | None = None


def encode(report: Report) -> bytes:
    """The file ``report.json``: canonical like a manifest."""
    return msgspec.json.format(msgspec.json.encode(report, order="sorted"), indent=2) + b"\n"


def decode(data: bytes) -> Report:
    """Read ``report.json``; WireError says what is wrong with it."""
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"over {_MAX_BYTES} bytes")
        return msgspec.json.decode(data, type=Report)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError("malformed", f"report.json: {str(error)[:160]}", "make the bundle again") from error


def accuracies(evaluation: Evaluation) -> dict[str, float]:
    """The scores as shares."""
    scores = {str(family): score.accuracy for family, score in evaluation.int8.items()}
    return ({"float32": evaluation.float32.accuracy} if evaluation.float32 else {}) | scores


def accuracy_drop(evaluation: Evaluation) -> float | None:
    """Float accuracy less that of the worst int8 family; None when either was not measured."""
    if evaluation.float32 is None or not evaluation.int8:
        return None
    return evaluation.float32.accuracy - min(score.accuracy for score in evaluation.int8.values())
