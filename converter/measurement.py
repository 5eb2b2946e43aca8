"""One int8 model, checked and then run on everything that is known about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from converter import flatbuffer, golden, lint, scoring
from converter.arena import ArenaReport
from converter.execution import execute
from converter.golden import Int8
from converter.scoring import Answers
from converter.source import Source
from converter.willing import Willing
from wire import preprocess
from wire.errors import InputError
from wire.manifest import TensorSpec
from wire.states import NumericsFamily


@dataclass(frozen=True)
class Measured:
    """What an int8 model is and does."""

    model: bytes
    graph: flatbuffer.Model
    input: TensorSpec
    output: TensorSpec
    golden_inputs: golden.Inputs
    golden_outputs: dict[NumericsFamily, Int8]
    answers: dict[NumericsFamily, Answers]
    """Classes for the evaluation samples; empty without them."""
    scored: dict[NumericsFamily, Int8]
    """Outputs for the evaluation samples; empty without them."""
    arena: ArenaReport | None
    """None when TFLM was not asked, or refuses."""
    refused: dict[NumericsFamily, str] = field(default_factory=dict)
    """Families that cannot run it, with their reasons; not in any of the above."""


def measure(
    source: Source, model: bytes, families: Iterable[NumericsFamily], *, every: bool = True
) -> Measured:
    """Lint and execute ``model``; InputError or RefusedError with the reason it cannot be shipped.

    One family's refusal is the model's when ``every`` family is needed, or when there is no other.
    """
    parsed = flatbuffer.parse(model)
    willing = Willing(families, every=every)
    spec_in, spec_out = next(iter(willing.each(lambda family: lint.check(parsed, family)).values()))
    check_samples(source, spec_in, spec_out)
    inputs = willing.first(lambda family: _golden_inputs(source, model, spec_in, family))
    count = len(inputs.values)
    everything = inputs.values
    if source.evaluation is not None:
        ready = preprocess.apply(source.preprocessing, source.evaluation.x)
        everything = np.concatenate([everything, preprocess.quantise(spec_in, ready)])
    done = willing.each(
        lambda family: execute(family, model, everything, measure_arena=family is NumericsFamily.TFLM)
    )
    outputs = {family: executed.outputs for family, executed in done.items()}
    for values in outputs.values():
        golden.check_telling(values[:count])
    arena = next((executed.arena for executed in done.values() if executed.arena is not None), None)
    scored = outputs if source.evaluation is not None else {}
    return Measured(
        model=model,
        graph=parsed,
        input=spec_in,
        output=spec_out,
        golden_inputs=inputs,
        golden_outputs={family: values[:count] for family, values in outputs.items()},
        answers={family: scoring.answers(values[count:]) for family, values in scored.items()},
        scored={family: values[count:] for family, values in scored.items()},
        arena=arena,
        refused=willing.refused,
    )


def _golden_inputs(source: Source, model: bytes, spec: TensorSpec, family: NumericsFamily) -> golden.Inputs:
    count = golden.count_for(int(np.prod(spec.shape)), len(model))
    inputs = golden.choose(source, spec, count)
    if len(inputs.values) <= count:
        return inputs
    chosen = golden.most_varied(execute(family, model, inputs.values).outputs, count)
    return golden.Inputs(inputs.values[chosen], inputs.origin)


def classes_of(output: TensorSpec) -> int:
    """Number of values of the output."""
    return int(np.prod(output.shape))


def check_samples(source: Source, spec_in: TensorSpec, spec_out: TensorSpec) -> None:
    """InputError unless samples, classes and labels are this model's."""
    shape = tuple(spec_in.shape[1:])
    for what, given in (("calibration", source.calibration), ("evaluation", source.evaluation)):
        if given is not None and given.x.shape[1:] != shape:
            raise InputError(
                "wrong_shape",
                f"{what} samples have shape {given.x.shape[1:]}, the model takes {shape}",
                "give samples of the model's input",
            )
    classes = classes_of(spec_out)
    truth = None if source.evaluation is None else source.evaluation.y
    if truth is not None and (len(spec_out.shape) != 2 or truth.max() >= max(2, classes)):
        raise InputError(
            "wrong_classes",
            f"the samples have a class {truth.max()}, the model answers with shape {spec_out.shape}",
            "give the classes of this model, from 0",
        )
    if source.labels and len(source.labels) != max(2, classes):
        raise InputError(
            "wrong_labels", f"{len(source.labels)} labels for {classes} classes", "give one label a class"
        )
