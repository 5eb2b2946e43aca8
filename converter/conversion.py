"""The whole conversion: source, int8, measurement, gate, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from securesystemslib.signer import Signer

from converter import (
    calibration_index,
    catalogue,
    documents,
    evidence,
    gate,
    golden,
    metrics,
    npu,
    samples,
    scoring,
    targets,
    versions,
)
from converter.bundle import check_free, entries, write_bundle
from converter.candidates import Activations, Trial, choose, shipped
from converter.fit import Fit, fits
from converter.image.attempt import Compiled, compiled
from converter.macs import count
from converter.measurement import Measured, classes_of
from converter.quantise import Quantised, quantise
from converter.recipe import Recipe
from converter.report import About, Report, accuracies, accuracy_drop
from converter.samples import Samples
from converter.settings import Settings
from converter.source import Source, load
from wire.errors import InputError
from wire.manifest import IMAGE_FILE, MODEL_FILE, Evaluation, Golden, Manifest, TargetNeeds
from wire.messages import Name
from wire.states import NumericsFamily

DEFAULT_MAX_DROP: Final = 0.03
"""Of the metric: what int8 may cost."""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What ``convert`` made."""

    bundle: str
    """The directory."""
    digest: str
    report: Report
    signed_by: str
    """Id of the key."""


def convert(
    source_path: Path,
    out: Path,
    *,
    signer: Signer,
    expires: datetime,
    name: str | None = None,
    version: int = 1,
    target_names: Sequence[str] = (),
    calibration: Path | None = None,
    evaluation: Path | None = None,
    metric: metrics.Metric = "top1",
    rule: gate.Rule = "point",
    max_drop: float = DEFAULT_MAX_DROP,
    recipe: Recipe | None = None,
    training: Path | None = None,
    plan: bool = False,
    activations: Activations = "int8",
) -> Converted:
    """Make the signed bundle ``out`` from a run folder, a ``.keras``, a SavedModel or a ``.tflite``.

    The same source gives the same digest. Raises InputError or NotFoundError for what the user has to
    change, RefusedError when the model cannot or should not be shipped; then nothing is written.
    """
    check_free(out)
    wanted = targets.families(target_names)
    source = load(source_path, calibration, evaluation)
    recipe = _checked_recipe(source, recipe or Recipe(), training)
    labelled = None if training is None else samples.load(training, labelled=True)
    model_name = _checked_name(name or source.name)
    _check_activations(source, activations)
    made = _quantised(source, recipe, labelled, activations)
    floats = _float_values(source, made, metric)
    trial = Trial(source, set(wanted.values()), bool(target_names), metric, rule, max_drop, floats, plan)
    chosen, others = choose(trial, activations, made)
    found = chosen.found
    wanted = {name: family for name, family in wanted.items() if family not in found.refused}
    scores = _evaluation(source, found, made, metric)

    image = compiled(found.model) if NumericsFamily.TFLM in wanted.values() else None
    # The image comes first, so that it lies at the start of a slot, where it is executed in place.
    files = {} if image is None or image.data is None else {IMAGE_FILE: image.data}
    files |= golden.files(found.golden_inputs.values, found.golden_outputs)
    files[MODEL_FILE] = found.model
    payload_bytes = sum(map(len, files.values()))
    if floats is not None:
        files[evidence.FILE] = evidence.pack(floats)
    if made.index_file:
        files[calibration_index.FILE] = made.index_file
    needs = _needs(found, wanted, files, image)
    report = msgspec.structs.replace(
        _report(model_name, version, source, found, scores, needs, payload_bytes),
        gate=chosen.verdict,
        layers=list(made.wide_layers if chosen.kind == "int16" else made.layers),
        recipe=recipe,
        variants=[shipped(chosen), *others],
        activations=chosen.kind,
        refused=found.refused,
        plan=chosen.planned,
        image=None if image is None else image.report,
        macs=count(found.graph).macs,
        fits=_fits(found, wanted, needs),
        about=_about(source),
        settings=Settings(
            targets=sorted(set(target_names)),
            metric=metric,
            rule=rule,
            max_drop=max_drop,
            plan=plan,
            activations=activations,
        ),
    )
    manifest = _manifest(source, report, _lineage(source, report, made, labelled), golden.entry(files))
    files |= documents.render(manifest, report, found.model)
    manifest = msgspec.structs.replace(manifest, files=entries(files))
    digest = write_bundle(out, manifest, files, signer, expires)
    return Converted(bundle=str(out), digest=digest, report=report, signed_by=signer.public_key.keyid)


def _checked_name(name: str) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise InputError(
            "bad_name", f"{name!r} cannot be a model's name", "give --name of letters, digits, '_', '.', '-'"
        ) from error


def _checked_recipe(source: Source, recipe: Recipe, training: Path | None) -> Recipe:
    if source.kind in ("tflite", "float_tflite") and not recipe.plain:
        raise InputError("int8_already", "the weights of a .tflite stay as they are", "give the Keras model")
    if recipe.qat_epochs and training is None:
        raise InputError("no_training", "quantisation-aware training needs labelled samples", "give --qat")
    if not 0 <= recipe.prune < 1 or recipe.clusters < 0 or 0 < recipe.clusters < 3:
        raise InputError("bad_recipe", "prune below 1, and 3 clusters or more", "see docs/quantisation.md")
    return recipe


def _check_activations(source: Source, activations: Activations) -> None:
    if source.kind == "tflite" and activations != "int8":
        raise InputError(
            "int8_already", "the activations of a .tflite stay as they are", "give its float model"
        )


def _quantised(
    source: Source, recipe: Recipe, training: Samples | None, activations: Activations
) -> Quantised:
    if source.kind == "tflite":
        return Quantised(model=source.model)
    return quantise(source, recipe, training, wide=activations != "int8")


def _float_values(source: Source, made: Quantised, metric: metrics.Metric) -> metrics.Values | None:
    if made.answers is None or source.evaluation is None:
        return None
    return evidence.float_values(metric, source.preprocessing, source.evaluation, made.answers)


def _evaluation(source: Source, found: Measured, made: Quantised, metric: metrics.Metric) -> Evaluation:
    if source.evaluation is None or source.evaluation.y is None:
        return Evaluation()
    if not scoring.has_classes(metric, classes_of(found.output)):
        return Evaluation()
    truth = source.evaluation.y
    floats = made.answers
    return Evaluation(
        float32=None if floats is None else scoring.score(scoring.answers(floats), truth),
        int8={family: scoring.score(answers, truth) for family, answers in found.answers.items()},
    )


def _needs(
    found: Measured, wanted: dict[str, NumericsFamily], files: dict[str, bytes], image: Compiled | None
) -> dict[str, TargetNeeds]:
    arena_bytes = None if found.arena is None else found.arena.confirmed_min
    image_arena_bytes = None if image is None else image.report.arena_bytes
    ram = targets.ram_bytes(found.graph, len(found.model), arena_bytes, image_arena_bytes)
    return targets.needs(wanted, ram, {path: len(data) for path, data in files.items()})


def _fits(
    found: Measured, wanted: dict[str, NumericsFamily], needs: dict[str, TargetNeeds]
) -> dict[str, Fit]:
    return fits(
        found.graph,
        len(found.model),
        None if found.arena is None else found.arena.confirmed_min,
        slot_bytes=targets.slots(needs),
        tail_bytes=0 if found.arena is None else found.arena.tail,
        npu=npu.costs(found.model, wanted),
        wanted=wanted,
    )


def _about(source: Source) -> About:
    run = source.run
    if run is None:
        return About()
    return About(title=run.title or run.task, intended_use=run.intended_use, limits=run.limits)


def _report(
    name: str,
    version: int,
    source: Source,
    found: Measured,
    scores: Evaluation,
    needs: dict[str, TargetNeeds],
    payload_bytes: int,
) -> Report:
    return Report(
        model=name,
        version=version,
        bytes=len(found.model),
        ops=found.graph.ops,
        input=found.input,
        output=found.output,
        preprocessing=source.preprocessing,
        arena=found.arena,
        evaluation=scores,
        accuracy=accuracies(scores),
        drop=accuracy_drop(scores),
        families_agree=_agreement(found),
        confusion=_confusion(source, found, scores),
        golden=found.golden_inputs.origin,
        targets=needs,
        payload_bytes=payload_bytes,
    )


def _agreement(found: Measured) -> float | None:
    if len(found.answers) < 2:
        return None
    first, second = list(found.answers.values())[:2]
    return float((first == second).mean())


def _confusion(source: Source, found: Measured, scores: Evaluation) -> list[list[int]]:
    if source.evaluation is None or source.evaluation.y is None or not scores.int8:
        return []
    answers = next(iter(found.answers.values()))
    return scoring.confusion(answers, source.evaluation.y, classes_of(found.output))


def _lineage(source: Source, report: Report, made: Quantised, training: Samples | None) -> dict[str, Any]:
    """Where everything is from, and what the gate saw."""
    lineage = dict(source.lineage)
    if made.calibration:
        lineage["calibration"] = {**lineage["calibration"], **made.calibration}
    if training is not None:
        lineage["training"] = {"sha256": training.sha256, "n": len(training.x)}
    if not report.recipe.plain:
        lineage["recipe"] = msgspec.to_builtins(report.recipe)
    if report.gate is not None:
        lineage["gate"] = msgspec.to_builtins(report.gate)
    if report.settings is not None:
        lineage["settings"] = msgspec.to_builtins(report.settings)
    if report.activations != "int8":
        lineage["activations"] = report.activations
    if report.refused:
        lineage["refused"] = dict(report.refused)
    lineage["golden"] = report.golden
    lineage["catalogue"] = catalogue.digest()
    lineage["converter"] = versions.installed()
    return lineage


def _manifest(source: Source, report: Report, lineage: dict[str, Any], vectors: Golden) -> Manifest:
    """Without its files."""
    return Manifest(
        model=report.model,
        version=report.version,
        labels=list(source.labels),
        channels=list(source.channels),
        input=report.input,
        output=report.output,
        preprocessing=source.preprocessing,
        ops=report.ops,
        image_ops=[] if report.image is None else report.image.op_names,
        files=[],
        golden=vectors,
        targets=report.targets,
        evaluation=report.evaluation,
        lineage=lineage,
    )
