"""What a run folder's model needs on boards: the converter's own figures and the emulated core's cycles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

import boards
from converter import flatbuffer, golden, lint, npu, samples, scoring, source, targets
from converter.execution import Int8, execute
from converter.fit import Fit, fits
from converter.flatbuffer import Model
from converter.image.attempt import Compiled, compiled
from converter.latency import NoEstimate
from converter.quantise import Quantised, quantise, spread
from converter.recipe import Recipe
from firmware_sim import execution
from trainer.search.measured import Measured, OnBoard, Quantisation
from wire import preprocess
from wire.errors import NotFoundError, RefusedError
from wire.manifest import IMAGE_FILE, MODEL_FILE, TensorSpec
from wire.states import NumericsFamily

QAT_EPOCHS: Final = 3


def measure(folder: Path, names: Sequence[str], quantisation: Quantisation) -> Measured:
    """Quantise ``folder`` and execute it; InputError or RefusedError when there is no such model.

    RAM is the smallest arena that TFLM really ran in (on Linux the upper bound for LiteRT), flash what a
    slot holds and the runtime's planning figure, latency the emulated core's cycles of one window.
    What is learnt hardly moves them: 16 bytes and 0.1 % were seen.
    """
    run = source.load(folder)
    made = quantise(run, _recipe(quantisation), _training(folder, quantisation), wide=quantisation == "int16")
    model = _file(made, quantisation)
    graph = flatbuffer.parse(model)
    families = {boards.load(name).numerics for name in names}
    # Lint's refusal is the model's: without a board that takes it, nothing else is worth knowing.
    spec_in, _ = next(lint.check(graph, family) for family in sorted(families))
    inputs, count = _inputs(run, model, spec_in)
    done = {
        family: execute(family, model, inputs, measure_arena=family is NumericsFamily.TFLM)
        for family in sorted(families)
    }
    arena = next((each.arena for each in done.values() if each.arena is not None), None)
    image = compiled(model) if NumericsFamily.TFLM in families else None
    vectors = golden.files(inputs[:count], {family: each.outputs[:count] for family, each in done.items()})
    wanted = {boards.load(name).target: boards.load(name).numerics for name in names}
    arena_bytes = None if arena is None else arena.confirmed_min
    found = fits(
        graph,
        len(model),
        arena_bytes,
        slot_bytes=_slots(graph, model, vectors, image, arena_bytes, wanted),
        tail_bytes=0 if arena is None else arena.tail,
        npu=npu.costs(model, wanted),
        wanted=wanted,
    )
    answers = scoring.answers(done[boards.load(names[0]).numerics].outputs[count:])
    truth = None if run.evaluation is None else run.evaluation.y
    return Measured(
        boards={name: _on_board(name, found[name], model, inputs[:1], image) for name in names},
        accuracy_int8=None if truth is None else float((answers == truth).mean()),
        bytes=len(model),
    )


def _recipe(quantisation: Quantisation) -> Recipe:
    return Recipe(qat_epochs=QAT_EPOCHS) if quantisation == "int8-qat" else Recipe()


def _training(folder: Path, quantisation: Quantisation) -> samples.Samples | None:
    return samples.load(folder / "calibration.npz", labelled=True) if quantisation == "int8-qat" else None


def _file(made: Quantised, quantisation: Quantisation) -> bytes:
    if quantisation != "int16":
        return made.model
    if made.wide is None:
        raise RefusedError("not_convertible", made.wide_refused, "use int8")
    return made.wide


def _inputs(run: source.Source, model: bytes, spec: TensorSpec) -> tuple[Int8, int]:
    """Golden inputs and behind them the evaluation windows; and how many the former are."""
    if run.calibration is None or run.evaluation is None:
        raise ValueError("a run folder always has samples")
    count = golden.count_for(int(np.prod(spec.shape)), len(model))
    chosen = run.calibration.x[spread(len(run.calibration.x), count)]
    raw = np.concatenate([chosen, run.evaluation.x])
    return preprocess.quantise(spec, preprocess.apply(run.preprocessing, raw)), len(chosen)


def _slots(
    graph: Model,
    model: bytes,
    vectors: dict[str, bytes],
    image: Compiled | None,
    arena_bytes: int | None,
    wanted: dict[str, NumericsFamily],
) -> dict[NumericsFamily, int]:
    files = {**vectors, MODEL_FILE: model}
    if image is not None and image.data is not None:
        files[IMAGE_FILE] = image.data
    image_arena = None if image is None else image.report.arena_bytes
    ram = targets.ram_bytes(graph, len(model), arena_bytes, image_arena)
    return targets.slots(targets.needs(wanted, ram, {path: len(data) for path, data in files.items()}))


def _on_board(name: str, fit: Fit, model: bytes, inputs: Int8, image: Compiled | None) -> OnBoard:
    latency_ms, origin, reason = _latency(name, fit, model, inputs, image)
    return OnBoard(
        reason="; ".join(text for text in ("" if fit.ok else fit.reason, reason) if text),
        ram_bytes=fit.ram_bytes,
        flash_bytes=fit.flash_bytes,
        latency_ms=latency_ms,
        latency_of=origin,
    )


def _latency(
    name: str, fit: Fit, model: bytes, inputs: Int8, image: Compiled | None
) -> tuple[float | None, str, str]:
    """Milliseconds if known, where they are from or why not, and what is in the way."""
    if fit.npu is None and fit.numerics is NumericsFamily.TFLM and image is not None:
        if image.data is None:
            return _estimated(fit, f"not emulated: {image.report.refused}")
        try:
            ran = execution.run(model, name, inputs).execution
        except NotFoundError as error:
            return _estimated(fit, error.message)
        except RefusedError as error:
            return None, error.message, error.message
        wrong = "" if ran.bit_exact_with_tflm else "the emulated core's answers are not TFLM's"
        return ran.latency_ms, "emulated core, estimated cycles", wrong
    return _estimated(fit, "")


def _estimated(fit: Fit, why: str) -> tuple[float | None, str, str]:
    known = "estimate from published results" if fit.npu is None else "vela's estimate"
    if isinstance(fit.latency, NoEstimate):
        return None, f"{why}; {fit.latency.reason}".removeprefix("; "), ""
    return fit.latency_ms, f"{known}; {why}".removesuffix("; "), ""
