"""Whether a model fits each board of the catalogue, and if not, why."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import msgspec

import boards
from boards import Board
from converter import latency, lint, macs, targets
from converter.flatbuffer import Model
from converter.latency import Estimate, NoEstimate, NpuEstimate
from converter.macs import Work
from converter.npu import Costs
from converter.vela import NpuCost
from wire.states import NumericsFamily


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one board."""

    ok: bool
    reason: str
    """Everything that is in the way; when nothing is, what is left."""
    flash_bytes: int
    """What a slot holds and the runtime's code, the latter a planning figure; without it on Linux."""
    runtime_flash_bytes: int
    """Of these, the runtime's."""
    flash_source: str
    """Where the runtime's figure is from."""
    ram_bytes: int | None
    """The arena, or LiteRT's upper bound; None when TFLM did not run the model."""
    latency_ms: float | None
    """An estimate, see ``latency``; None with a reason there."""
    latency: Estimate | NpuEstimate | NoEstimate
    npu: NpuCost | None = None
    """What vela says of the board's accelerator; RAM, flash and latency are then of the compiled model."""
    target: str
    numerics: NumericsFamily
    flash_free_bytes: int
    """What the board has for both."""
    ram_free_bytes: int
    """What the board has for a model."""


def fits(
    graph: Model,
    file_bytes: int,
    arena_bytes: int | None,
    refused: Mapping[NumericsFamily, str] | None = None,
    *,
    slot_bytes: Mapping[NumericsFamily, int] | None = None,
    tail_bytes: int = 0,
    npu: Costs | None = None,
    wanted: Container[str] | None = None,
) -> dict[str, Fit]:
    """By board, of the targets ``wanted`` or of all.

    ``slot_bytes`` is what a slot has to hold by family, if more than the file (golden vectors go with it).
    ``arena_bytes`` is the smallest arena TFLM really ran in, None when it was not run; ``tail_bytes`` what
    TFLM keeps there besides tensors. ``refused`` says why a runtime does not take the model (an operator it
    lacks, float arithmetic): lint's first error. ``npu`` has what vela says of accelerators.
    Needs of 32-bit cores are a little lower than those measured on a 64-bit host.
    """
    work = macs.count(graph)
    ram = {
        NumericsFamily.TFLM: arena_bytes,
        NumericsFamily.XNNPACK: targets.litert_bytes(file_bytes, graph.activation_bytes),
    }
    found: dict[str, Fit] = {}
    for board in map(boards.load, boards.names()):
        if wanted is not None and board.target not in wanted:
            continue
        stored = (slot_bytes or {}).get(board.numerics, file_bytes)
        against = (refused or {}).get(board.numerics)
        cost = (npu or {}).get(board.npu or "")
        if isinstance(cost, NpuCost) and not against:
            compiled = stored - file_bytes + cost.file_bytes
            took = _on_npu(board, cost)
            found[board.name] = _fit(board, compiled, cost.sram_bytes + tail_bytes, None, took, cost)
            continue
        estimate = _took(graph, work, board) if board.npu is None else _unknown(cost)
        found[board.name] = _fit(board, stored, ram[board.numerics], against, estimate)
    return found


def _unknown(cost: NpuCost | NoEstimate | None) -> NoEstimate:
    return cost if isinstance(cost, NoEstimate) else NoEstimate(reason="vela was not asked")


def _on_npu(board: Board, cost: NpuCost) -> NpuEstimate:
    clock_mhz = board.npu_clock_mhz or board.clock_mhz
    return NpuEstimate(
        latency_ms=round(cost.cycles / (clock_mhz * 1e3), 3),
        cycles=cost.cycles,
        accelerator=cost.accelerator,
        clock_mhz=clock_mhz,
        system_config=cost.system_config,
        npu_operators=cost.npu_operators,
        cpu_operators=cost.cpu_operators,
    )


def _took(graph: Model, work: Work, board: Board) -> Estimate | NoEstimate:
    if lint.int16_inside(graph):
        return NoEstimate(reason="the published results are of int8 models; this one computes in int16")
    return latency.estimate(work, board.target, board.clock_mhz)


def _fit(
    board: Board,
    stored_bytes: int,
    ram_bytes: int | None,
    refused: str | None,
    took: Estimate | NpuEstimate | NoEstimate,
    npu: NpuCost | None = None,
) -> Fit:
    against = [text for text in (refused, _ram(board, ram_bytes), _flash(board, stored_bytes)) if text]
    if refused and ram_bytes is None:
        against = [text for text in against if text != _ram(board, ram_bytes)]
    runtime = board.runtime_flash_bytes or 0
    return Fit(
        ok=not against,
        reason="; ".join(against) or _room(board, stored_bytes, ram_bytes or 0),
        flash_bytes=stored_bytes + runtime,
        runtime_flash_bytes=runtime,
        flash_source=board.runtime_source,
        ram_bytes=ram_bytes,
        latency_ms=None if refused or isinstance(took, NoEstimate) else took.latency_ms,
        latency=NoEstimate(reason=refused) if refused else took,
        npu=npu,
        target=board.target,
        numerics=board.numerics,
        flash_free_bytes=board.slot_bytes + runtime,
        ram_free_bytes=board.model_ram_bytes,
    )


def _ram(board: Board, ram_bytes: int | None) -> str | None:
    if ram_bytes is None:
        return "TFLM did not run the model, so the arena is not known"
    if ram_bytes <= board.model_ram_bytes:
        return None
    what = "for the arena" if board.numerics is NumericsFamily.TFLM else "with LiteRT, at most"
    return f"needs {ram_bytes:,} bytes of RAM {what}, {board.name} leaves {board.model_ram_bytes:,}"


def _flash(board: Board, stored_bytes: int) -> str | None:
    if stored_bytes <= board.slot_bytes:
        return None
    slot = f"a slot of {board.name} has {board.slot_bytes:,}"
    return f"needs {stored_bytes:,} bytes of flash for the model, {slot}"


def _room(board: Board, stored_bytes: int, ram_bytes: int) -> str:
    return (
        f"leaves {board.model_ram_bytes - ram_bytes:,} bytes of RAM and "
        f"{board.slot_bytes - stored_bytes:,} bytes of a slot"
    )


def to_json(found: Mapping[str, Fit]) -> dict[str, Any]:
    """Plain data, for ``--json``."""
    plain: dict[str, Any] = msgspec.to_builtins(dict(found))
    return plain
