"""Everything that can be known of a ``.tflite`` file before it is shipped; the file may be anything."""

from __future__ import annotations

import msgspec

from converter import findings, fit, flatbuffer, lint, macs, npu
from converter.arena import ArenaReport
from converter.findings import Finding
from converter.fit import Fit
from converter.flatbuffer import Model
from converter.planning.apply import plan_model
from converter.probe import probe
from converter.repair import defects, repair
from wire.errors import FleetError, RefusedError
from wire.manifest import digest_of
from wire.states import NumericsFamily


class PlannedArena(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the arena with a better memory plan inside the file, as ``convert --plan`` makes it."""

    head: int
    total: int


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is and does; arena, MACs and fits are those of the repaired file, if it needed repair."""

    digest: str
    """SHA-256 of the file."""
    bytes: int
    ops: list[str]
    numerics_int8: bool
    """Input, output and everything between are int8."""
    runnable_tflm: bool
    """It was run by TFLM."""
    findings: list[Finding]
    arena: ArenaReport | None
    """None when TFLM does not run it."""
    planned_arena: PlannedArena | None
    """None for a model that ``convert`` refuses; like ``arena`` when no plan is better than TFLM's own."""
    macs: int
    fits: dict[str, Fit]
    """By board."""


def inspect(data: bytes) -> Inspection:
    """Read, lint, repair and run ``data``; InputError when it is no ``.tflite`` file or a damaged one."""
    parsed = flatbuffer.parse(data)
    found = lint.findings(parsed)
    model, repairs = _repaired(data, parsed)
    arena, refusals = (None, []) if model is None else _run(model)
    shipped = data if model is None else model
    graph = flatbuffer.parse(shipped)
    return Inspection(
        digest=digest_of(data),
        bytes=len(data),
        ops=parsed.ops,
        numerics_int8=lint.int8_numerics(parsed),
        runnable_tflm=arena is not None,
        findings=findings.ordered([*found, *repairs, *refusals]),
        arena=arena,
        planned_arena=None if model is None else _planned(model),
        macs=macs.count(graph).macs,
        fits=fit.fits(
            graph,
            len(shipped),
            None if arena is None else arena.confirmed_min,
            _refused(graph, refusals),
            tail_bytes=0 if arena is None else arena.tail,
            npu={} if arena is None else npu.costs(shipped),
        ),
    )


def _refused(graph: Model, refusals: list[Finding]) -> dict[NumericsFamily, str]:
    """Why no board of a family gets the model: ``convert`` refuses it, or TFLM does."""
    found = {family: lint.refusals(graph, family) for family in NumericsFamily}
    found[NumericsFamily.TFLM] = [*found[NumericsFamily.TFLM], *refusals]
    return {family: reasons[0].message for family, reasons in found.items() if reasons}


def _planned(model: bytes) -> PlannedArena | None:
    try:
        _, report = plan_model(model)
    except FleetError:
        return None
    return PlannedArena(head=report.after.head, total=report.after.total)


def _repaired(data: bytes, parsed: Model) -> tuple[bytes | None, list[Finding]]:
    if not defects(parsed):
        return data, []
    try:
        repaired = repair(data)
    except FleetError as error:
        return None, [findings.error("not_repaired", error.message, error.hint)]
    shown = " and ".join(repaired.done)
    said = f"arena, MACs and fits are those of the file after repair of {shown}"
    return repaired.model, [findings.info("repaired", said, "tinyfleet convert ships the repaired file")]


def _run(model: bytes) -> tuple[ArenaReport | None, list[Finding]]:
    try:
        return probe(model), []
    except RefusedError as error:
        return None, [findings.error("tflm_refuses", error.message, error.hint)]
