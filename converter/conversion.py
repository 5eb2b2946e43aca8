"""The whole conversion: source, int8, measurement, gate, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from securesystemslib.signer import Signer

from converter import card, golden, scoring, targets
from converter.bundle import check_free, entries, write_bundle
from converter.measurement import Measured, classes_of, measure
from converter.quantise import quantise
from converter.report import Report, accuracies, accuracy_drop, check_gate
from converter.source import Source, load
from wire.errors import InputError
from wire.manifest import CARD_FILE, MODEL_FILE, Evaluation, Manifest, TargetNeeds
from wire.messages import Name
from wire.states import NumericsFamily

DEFAULT_MAX_DROP: Final = 0.03
"""Share of the evaluation samples that int8 may cost."""
_PACKAGES: Final = ("ai-edge-litert", "numpy", "tensorflow", "tflite-micro")
Floats = NDArray[np.float32]


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What ``convert`` made."""

    bundle: str
    """The directory."""
    digest: str
    report: Report


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
    max_drop: float = DEFAULT_MAX_DROP,
) -> Converted:
    """Make the signed bundle ``out`` from a run folder, a ``.keras`` or an int8 ``.tflite``.

    The same source gives the same digest. Raises InputError or NotFoundError for what the user has to
    change, RefusedError when the model cannot or should not be shipped; then nothing is written.
    """
    check_free(out)
    wanted = targets.families(target_names)
    source = load(source_path, calibration, evaluation)
    model_name = _checked_name(name or source.name)
    model, floats = (source.model, None) if source.kind == "tflite" else quantise(source)
    found = measure(source, model, wanted.values())
    scores = _evaluation(source, found, floats)
    check_gate(scores, max_drop)

    files = {MODEL_FILE: model, **golden.files(found.golden_inputs.values, found.golden_outputs)}
    needs = _needs(found, wanted, sum(map(len, files.values())))
    report = _report(model_name, version, source, found, scores, needs)
    files[CARD_FILE] = card.render(source, report).encode()
    manifest = _manifest(source, report, files)
    digest = write_bundle(out, manifest, files, signer, expires)
    return Converted(bundle=str(out), digest=digest, report=report)


def _checked_name(name: str) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise InputError(
            "bad_name", f"{name!r} cannot be a model's name", "give --name of letters, digits, '_', '.', '-'"
        ) from error


def _evaluation(source: Source, found: Measured, floats: Floats | None) -> Evaluation:
    if source.evaluation is None or source.evaluation.y is None:
        return Evaluation()
    truth = source.evaluation.y
    return Evaluation(
        float32=None if floats is None else scoring.score(scoring.answers(floats), truth),
        int8={family: scoring.score(answers, truth) for family, answers in found.answers.items()},
    )


def _needs(found: Measured, wanted: dict[str, NumericsFamily], payload_bytes: int) -> dict[str, TargetNeeds]:
    arena_bytes = None if found.arena is None else found.arena.confirmed_min
    litert_bytes = targets.litert_bytes(len(found.model), found.graph.activation_bytes)
    return targets.needs(wanted, arena_bytes, litert_bytes, payload_bytes)


def _report(
    name: str,
    version: int,
    source: Source,
    found: Measured,
    scores: Evaluation,
    needs: dict[str, TargetNeeds],
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
        confusion=_confusion(source, found),
        golden=found.golden_inputs.origin,
        targets=needs,
        payload_bytes=next(iter(needs.values())).flash_bytes,
    )


def _agreement(found: Measured) -> float | None:
    if len(found.answers) < 2:
        return None
    first, second = list(found.answers.values())[:2]
    return float((first == second).mean())


def _confusion(source: Source, found: Measured) -> list[list[int]]:
    if source.evaluation is None or source.evaluation.y is None:
        return []
    answers = next(iter(found.answers.values()))
    return scoring.confusion(answers, source.evaluation.y, classes_of(found.output))


def _manifest(source: Source, report: Report, files: dict[str, bytes]) -> Manifest:
    return Manifest(
        model=report.model,
        version=report.version,
        labels=list(source.labels),
        input=report.input,
        output=report.output,
        preprocessing=source.preprocessing,
        ops=report.ops,
        files=entries(files),
        golden=golden.entry(files),
        targets=report.targets,
        evaluation=report.evaluation,
        lineage={
            **source.lineage,
            "golden": report.golden,
            "converter": {package: package_version(package) for package in _PACKAGES},
        },
    )
