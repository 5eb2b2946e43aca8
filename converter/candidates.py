"""Files made of one source, each run on everything; and which of them ships.

``auto`` ships int8 if it passes, int16 activations only if int8 does not and they do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from converter import evidence, flatbuffer, gate, lint, metrics
from converter.execution import execute
from converter.gate import Comparison
from converter.measurement import Measured, measure
from converter.planning.apply import PlanReport, plan_model
from converter.pruning import deflate_bytes
from converter.quantise import Quantised
from converter.report import Kind, Variant
from converter.source import Source
from converter.willing import Willing
from wire import preprocess
from wire.errors import InputError, RefusedError
from wire.states import NumericsFamily

Activations = Literal["int8", "int16", "auto"]


@dataclass(frozen=True)
class Trial:
    """How a file is judged; for all files of a source the same."""

    source: Source
    families: Collection[NumericsFamily]
    every: bool
    """Whether all of ``families`` must run it."""
    metric: metrics.Metric
    rule: gate.Rule
    max_drop: float
    floats: metrics.Values | None
    """What the metric looks at, of the float model; None without it or without labelled samples."""
    plan: bool


@dataclass(frozen=True)
class Candidate:
    """A file that runs and that the gate, if there is one, lets pass."""

    kind: Kind
    found: Measured
    planned: PlanReport | None
    verdict: gate.Verdict | None


def choose(trial: Trial, activations: Activations, made: Quantised) -> tuple[Candidate, list[Variant]]:
    """What ships and the figures of what does not; RefusedError if nothing may."""
    if activations == "auto":
        return _auto(trial, made)
    chosen = attempt(trial, activations, _file(made, activations))
    if activations == "int16":
        return chosen, [_figures(trial, "int8", "int8", made.model)]
    return chosen, [] if made.ptq is None else [_figures(trial, "ptq", "int8", made.ptq)]


def attempt(trial: Trial, kind: Kind, model: bytes) -> Candidate:
    """Plan, run and judge one file; RefusedError when it does not run or loses too much.

    Nobody asked for int16 to lose half of the targets: every family must run it.
    """
    model, planned = _plan(trial, model) if trial.plan else (model, None)
    found = measure(trial.source, model, trial.families, every=trial.every or kind == "int16")
    compared = _compare(trial, found)
    verdict = None
    if compared:
        verdict = gate.judge(trial.metric, trial.rule, trial.max_drop, compared)
        gate.check(verdict, kind)
    return Candidate(kind, found, planned, verdict)


def shipped(candidate: Candidate) -> Variant:
    """Its figures."""
    compared = {} if candidate.verdict is None else candidate.verdict.families
    return _variant("shipped", candidate.kind, candidate.found.model, compared)


def _auto(trial: Trial, made: Quantised) -> tuple[Candidate, list[Variant]]:
    if trial.floats is None:
        raise InputError("no_evaluation", "--activations auto chooses by accuracy", "give --eval data.npz")
    try:
        chosen = attempt(trial, "int8", made.model)
    except RefusedError as error:
        return _wide_instead(trial, made, error), [_figures(trial, "int8", "int8", made.model)]
    if made.wide is None:
        return chosen, [Variant(name="int16", activations="int16", refused=made.wide_refused)]
    return chosen, [_figures(trial, "int16", "int16", made.wide)]


def _wide_instead(trial: Trial, made: Quantised, refusal: RefusedError) -> Candidate:
    try:
        return attempt(trial, "int16", _file(made, "int16"))
    except RefusedError as second:
        both = f"{refusal.message}; with int16 activations: {second.message}"
        raise RefusedError(refusal.code, both, refusal.hint) from second


def _file(made: Quantised, kind: Kind) -> bytes:
    if kind == "int8":
        return made.model
    if made.wide is None:
        raise RefusedError("not_convertible", made.wide_refused, "use --activations int8")
    return made.wide


def _plan(trial: Trial, model: bytes) -> tuple[bytes, PlanReport | None]:
    """Planned, if TFLM runs it at all; whether it must is for ``measure`` to say."""
    if NumericsFamily.TFLM not in trial.families:
        return model, None
    try:
        return plan_model(model)
    except RefusedError:
        return model, None


def _compare(trial: Trial, found: Measured) -> dict[NumericsFamily, Comparison]:
    if trial.floats is None or trial.source.evaluation is None:
        return {}
    source, given = trial.source, trial.source.evaluation
    return evidence.compare(
        trial.metric, source.preprocessing, given, found.output, trial.floats, found.scored
    )


def _figures(trial: Trial, name: str, kind: Kind, model: bytes) -> Variant:
    """Of a file that is not shipped, in every family that runs it."""
    source, given = trial.source, trial.source.evaluation
    if trial.floats is None or given is None:
        return _variant(name, kind, model, {})
    willing = Willing(trial.families, every=False)
    try:
        specs = willing.each(lambda family: lint.check(flatbuffer.parse(model), family))
        spec_in, spec_out = next(iter(specs.values()))
        inputs = preprocess.quantise(spec_in, preprocess.apply(source.preprocessing, given.x))
        answers = willing.each(lambda family: execute(family, model, inputs).outputs)
    except RefusedError as error:
        return _variant(name, kind, model, {}, error.message)
    compared = evidence.compare(trial.metric, source.preprocessing, given, spec_out, trial.floats, answers)
    return _variant(name, kind, model, compared, "; ".join(willing.refused.values()))


def _variant(
    name: str,
    kind: Kind,
    model: bytes,
    compared: dict[NumericsFamily, Comparison],
    refused: str = "",
) -> Variant:
    return Variant(
        name=name,
        activations=kind,
        bytes=len(model),
        deflate_bytes=deflate_bytes(model),
        families=compared,
        refused=refused,
    )
