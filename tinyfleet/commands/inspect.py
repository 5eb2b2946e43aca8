"""``tinyfleet inspect FILE.tflite``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyfleet.output import Json, emit
from tinyfleet.table import table
from wire.errors import ExitCode

if TYPE_CHECKING:
    from converter.findings import Finding
    from converter.fit import Fit
    from converter.inspection import Inspection


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any .tflite file.")],
    as_json: Json = False,
) -> None:
    """Tell what a .tflite is, what is wrong with it and where it fits; exit code 6 if anything is wrong."""
    from converter.findings import matter
    from converter.inspection import inspect
    from converter.source import read_tflite

    found = inspect(read_tflite(file))
    emit(found, as_json, lambda: "\n".join(_lines(found)))
    if matter(found.findings):
        raise typer.Exit(ExitCode.FINDINGS)


def _lines(found: Inspection) -> Iterator[str]:
    yield from (_finding(finding) for finding in found.findings)
    yield f"{found.digest}, {found.bytes} bytes: {', '.join(found.ops)}"
    numerics = "int8 throughout" if found.numerics_int8 else "not int8 throughout"
    yield f"{numerics}; {'runs' if found.runnable_tflm else 'does not run'} in TFLM; {found.macs} MACs"
    if found.arena is not None:
        arena = found.arena
        yield (
            f"TFLM arena {arena.total} bytes = head {arena.head} + tail {arena.tail}; "
            f"runs in {arena.confirmed_min}"
        )
    if found.planned_arena is not None:
        yield f"with a memory plan {found.planned_arena.total} bytes, head {found.planned_arena.head}"
    header = ("BOARD", "FITS", "RAM", "FLASH", "MS", "ESTIMATE", "WHY")
    rows = [
        (
            board,
            "yes" if fit.ok else "no",
            *map(_figure, (fit.ram_bytes, fit.flash_bytes, fit.latency_ms)),
            _estimate(fit),
            fit.reason,
        )
        for board, fit in found.fits.items()
    ]
    yield table(header, rows)


def _estimate(fit: Fit) -> str:
    """What the milliseconds are of: a software stack with published results, or vela's cycle model."""
    return getattr(fit.latency, "stack", "vela" if fit.npu is not None else "-")


def _figure(value: float | None) -> str:
    return "-" if value is None else str(value)


def _finding(finding: Finding) -> str:
    where = "" if finding.op is None else f" (operator {finding.op})"
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.severity}: {finding.message}{where}{remedy} [{finding.code}]"
