"""What is converted: a run folder, a foreign ``.keras`` or SavedModel, or a ``.tflite``, int8 or float.

A SavedModel is a program: convert one only from people you trust.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from converter import calibration_index, flatbuffer, float_model, samples
from converter.repair import repair
from converter.samples import Samples
from wire.errors import InputError, NotFoundError
from wire.limits import MAX_BUNDLE_BYTES, MAX_CHANNELS
from wire.manifest import Preprocessing, digest_of

_MAX_RUN_BYTES: Final = 1024 * 1024
_MAX_KERAS_BYTES: Final = 512 * 1024 * 1024
_MAX_FILES: Final = 1000
_SAVED_MODEL: Final = "saved_model.pb"
Kind = Literal["run", "keras", "saved_model", "tflite", "float_tflite"]
"""``tflite`` is an int8 one, or what is refused for not being it."""


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the converter reads of a ``run.json``; other fields are the trainer's own."""

    format: Literal[1]
    task: str
    title: str = ""
    labels: tuple[str, ...]
    channels: tuple[str, ...] = ()
    preprocessing: Preprocessing
    data: dict[str, Any] = {}
    split: dict[str, Any] = {}
    seed: int | None = None
    recipe: dict[str, Any] = {}
    hyperparameters: dict[str, Any] = {}
    packages: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    intended_use: str = ""
    limits: str = ""


@dataclass(frozen=True)
class Source:
    """A model and all that is known of it."""

    kind: Kind
    model: bytes
    """Bytes of the ``.keras`` or (repaired) ``.tflite`` file; a SavedModel's folder as a zip archive."""
    name: str
    """A name for the model, when the user gives none."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    calibration: Samples | None = None
    evaluation: Samples | None = None
    labels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    """Of the sensor, by name, where they are known."""
    run: RunFile | None = None
    lineage: dict[str, Any] = field(default_factory=dict)


def load(path: Path, calibration: Path | None = None, evaluation: Path | None = None) -> Source:
    """Read SRC with its samples; InputError or NotFoundError when it is none of the four kinds."""
    if not path.exists():
        raise NotFoundError(
            "no_source", f"there is no {path}", "give a run folder, .keras, SavedModel or .tflite"
        )
    if path.is_dir() and (path / "run.json").exists():
        return _from_run(path, calibration, evaluation)
    if path.is_dir():
        if not (path / _SAVED_MODEL).is_file():
            raise InputError(
                "not_a_run", f"{path} has no run.json and no {_SAVED_MODEL}", "see tinyfleet train"
            )
        _check_calibration(path, calibration, evaluation)
        return _foreign("saved_model", path.name, _archive(path), calibration, evaluation)
    if path.suffix == ".keras":
        _check_calibration(path, calibration, evaluation)
        model = _read(path, _MAX_KERAS_BYTES)
        _check_keras(path.name, model)
        return _foreign("keras", path.stem, model, calibration, evaluation)
    if path.suffix == ".tflite":
        return _foreign("tflite", path.stem, read_tflite(path), calibration, evaluation)
    raise InputError(
        "unknown_model",
        f"{path.name} is no model file that is known",
        "give a run folder, .keras, SavedModel or .tflite",
    )


def read_tflite(path: Path) -> bytes:
    """The file's bytes, at most MAX_BUNDLE_BYTES; NotFoundError or InputError."""
    return _read(path, MAX_BUNDLE_BYTES)


def _check_calibration(path: Path, calibration: Path | None, evaluation: Path | None) -> None:
    if calibration is None and evaluation is None:
        raise InputError(
            "no_calibration",
            f"{path.name} needs samples to choose its int8 ranges by",
            "give --calibration data.npz with x in real units, or --eval data.npz to take some of",
        )


def _archive(folder: Path) -> bytes:
    """The folder's files in one archive: the same bytes for the same files, wherever and whenever."""
    files = sorted(islice((file for file in folder.rglob("*") if file.is_file()), _MAX_FILES + 1))
    total = sum(file.stat().st_size for file in files)
    if len(files) > _MAX_FILES or total > _MAX_KERAS_BYTES:
        raise InputError("oversize", f"{folder.name} has {len(files)} files of {total} bytes", "shrink it")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in files:
            # ZipInfo's own date: 1980.
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            archive.writestr(entry, _read(file, _MAX_KERAS_BYTES))
    return packed.getvalue()


def _check_keras(name: str, model: bytes) -> None:
    """A cheap look before TensorFlow is started: a ``.keras`` file is a zip archive."""
    if not zipfile.is_zipfile(io.BytesIO(model)):
        raise InputError("not_keras", f"{name} is not a .keras file", "save it with model.save('name.keras')")


def _foreign(
    kind: Literal["keras", "saved_model", "tflite"],
    name: str,
    model: bytes,
    calibration: Path | None,
    evaluation: Path | None,
) -> Source:
    sha256 = digest_of(model)
    repaired: list[str] = []
    sure: Kind = kind
    if kind == "tflite":
        model, repaired = repair(model)
        if (calibration or evaluation) and float_model.is_float(flatbuffer.parse(model)):
            sure = "float_tflite"
    lineage: dict[str, Any] = {"source": {"kind": sure, "sha256": sha256}}
    if repaired:
        lineage["repaired"] = repaired
    given = None if calibration is None else samples.load(calibration)
    scored = None if evaluation is None else samples.load(evaluation, labelled=True)
    drawn = {}
    if given is None and scored is not None and sure != "tflite":
        given, scored = calibration_index.split(scored)
        drawn = {"drawn": "of the evaluation samples", "rule": calibration_index.RULE}
    lineage |= _sample_lineage(given, scored)
    if drawn:
        lineage["calibration"] |= drawn
    return Source(
        kind=sure,
        model=model,
        name=name,
        calibration=given,
        evaluation=scored,
        labels=scored.labels if scored else (),
        lineage=lineage,
    )


def _from_run(folder: Path, calibration: Path | None, evaluation: Path | None) -> Source:
    text = _read(folder / "run.json", _MAX_RUN_BYTES)
    try:
        run = msgspec.json.decode(text, type=RunFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("bad_run", f"run.json: {str(error)[:160]}", "train again") from error
    model = _read(folder / "model.keras", _MAX_KERAS_BYTES)
    _check_keras("model.keras", model)
    given = samples.load(calibration or folder / "calibration.npz")
    scored = samples.load(evaluation or folder / "eval.npz", labelled=True)
    return Source(
        kind="run",
        model=model,
        name=run.task,
        preprocessing=run.preprocessing,
        calibration=given,
        evaluation=scored,
        labels=run.labels,
        channels=run.channels[:MAX_CHANNELS],
        run=run,
        lineage={
            "source": {"kind": "run", "sha256": digest_of(model)},
            "run": {
                "sha256": digest_of(text),
                "task": run.task,
                "data": run.data,
                "split": run.split,
                "seed": run.seed,
                "recipe": run.recipe,
                "hyperparameters": run.hyperparameters,
                "packages": run.packages,
            },
            **_sample_lineage(given, scored),
        },
    )


def _sample_lineage(calibration: Samples | None, evaluation: Samples | None) -> dict[str, Any]:
    given = {"calibration": calibration, "evaluation": evaluation}
    return {name: {"sha256": s.sha256, "n": len(s.x)} for name, s in given.items() if s is not None}


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError as error:
        raise NotFoundError("no_file", f"there is no file {file}", "check the path") from error
    except OSError as error:
        raise InputError("unreadable", f"cannot read {file}: {error.strerror}", "check the path") from error
    if len(data) > limit:
        raise InputError("oversize", f"{file} is over {limit} bytes", "give a smaller one")
    return data
