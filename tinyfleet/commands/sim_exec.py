"""``tinyfleet sim exec FILE.tflite``: one model on one emulated board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyfleet.output import Json, emit
from tinyfleet.table import table

if TYPE_CHECKING:
    from firmware_sim.execution import Answered, Execution

_BAR = 30


def exec_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An int8 .tflite file.")],
    board: Annotated[str, typer.Option(help="Name of the board.")],
    inputs: Annotated[
        Path,
        typer.Option(help="(n, ...) as .npy: int8 as the model takes it, or floats in its real units."),
    ],
    outputs: Annotated[Path | None, typer.Option(help="Where to write the int8 answers as .npy.")] = None,
    as_json: Json = False,
) -> None:
    """Execute a model on an emulated board and compare every byte with tflite-micro."""
    from converter.repair import repair
    from converter.source import read_tflite
    from firmware_sim import execution, stimulus

    model = repair(read_tflite(file)).model
    found = execution.run(model, board, stimulus.load(inputs, model))
    if outputs is not None:
        _save(outputs, found)
    emit(found.execution, as_json, lambda: "\n".join(_lines(found.execution)))


def _save(file: Path, found: Answered) -> None:
    import numpy as np

    from wire.errors import InputError

    try:
        with file.open("wb") as stream:
            np.save(stream, found.outputs)
    except OSError as error:
        raise InputError("unwritable", f"cannot write {file}: {error.strerror}", "check the path") from error


def _lines(ran: Execution) -> Iterator[str]:
    total = sum(op.cycles_estimated for op in ran.ops)
    rows = [
        (
            op.op,
            f"{op.instructions:,}",
            f"{op.cycles_estimated:,}",
            f"{op.cycles_estimated / total:6.1%}",
            "#" * round(_BAR * op.cycles_estimated / total),
        )
        for op in ran.ops
    ]
    yield table(("OPERATOR", "INSTRUCTIONS", "CYCLES (EST.)", " SHARE", ""), rows)
    yield ""
    classes = {name: sum(op.classes[name] for op in ran.ops) for name in ran.ops[0].classes}
    yield f"{ran.board}, {ran.core} at {ran.clock_mhz:g} MHz, {len(ran.instructions)} inferences"
    yield f"instructions {ran.instructions[0]:,}: " + ", ".join(f"{n:,} {k}" for k, n in classes.items())
    yield f"latency {ran.latency_ms} ms estimated; {ran.cycle_table.source}; {ran.cycle_table.error}"
    yield (
        f"RAM {ran.ram_bytes:,} bytes = arena {ran.arena_bytes:,} + stack {ran.stack_bytes:,} "
        f"+ variables {ran.variable_bytes:,}"
    )
    yield (
        f"flash {ran.flash_bytes:,} bytes = runtime {ran.runtime_flash_bytes:,} "
        f"+ model {ran.model_flash_bytes:,}"
    )
    verdict = "the same bytes as tflite-micro" if ran.bit_exact_with_tflm else "NOT the bytes of tflite-micro"
    yield f"{verdict} ({ran.differing_bytes} differ); {ran.compiler} {ran.optimisation}, {ran.emulator}"
    yield ran.limits
