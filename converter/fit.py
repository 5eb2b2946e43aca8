"""Whether a model fits each board of the catalogue, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

import boards
from boards import Board
from converter import latency, lint, macs, targets
from converter.flatbuffer import Model
from converter.latency import Estimate, NoEstimate
from converter.macs import Work
from wire.states import NumericsFamily


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one board."""

    ok: bool
    reason: str
    """Everything that is in the way; when nothing is, what is left."""
    flash_bytes: int
    """What a slot holds and the runtime's code, the latter a planning figure; without it on Linux."""
    ram_bytes: int | None
    """The arena, or LiteRT's upper bound; None when TFLM did not run the model."""
    latency_ms: float | None
    """An estimate, see ``latency``; None with a reason there."""
    latency: Estimate | NoEstimate
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
    slot_bytes: int | None = None,
) -> dict[str, Fit]:
    """By board.

    ``slot_bytes`` is what a slot has to hold, if more than the file (golden vectors go with it).
    ``arena_bytes`` is the smallest arena TFLM really ran in, None when it was not run. ``refused`` says
    why a runtime does not take the model (an operator it lacks, float arithmetic): lint's first error.
    Needs of 32-bit cores are a little lower than those measured on a 64-bit host.
    """
    work = macs.count(graph)
    ram = {
        NumericsFamily.TFLM: arena_bytes,
        NumericsFamily.XNNPACK: targets.litert_bytes(file_bytes, graph.activation_bytes),
    }
    known = map(boards.load, boards.names())
    return {
        board.name: _fit(
            board,
            file_bytes if slot_bytes is None else slot_bytes,
            ram[board.numerics],
            (refused or {}).get(board.numerics),
            _took(graph, work, board),
        )
        for board in known
    }


def _took(graph: Model, work: Work, board: Board) -> Estimate | NoEstimate:
    if lint.int16_inside(graph):
        return NoEstimate(reason="the published results are of int8 models; this one computes in int16")
    return latency.estimate(work, board.target, board.clock_mhz)


def _fit(
    board: Board, stored_bytes: int, ram_bytes: int | None, refused: str | None, took: Estimate | NoEstimate
) -> Fit:
    against = [text for text in (refused, _ram(board, ram_bytes), _flash(board, stored_bytes)) if text]
    if refused and ram_bytes is None:
        against = [text for text in against if text != _ram(board, ram_bytes)]
    runtime = board.runtime_flash_bytes or 0
    return Fit(
        ok=not against,
        reason="; ".join(against) or _room(board, stored_bytes, ram_bytes or 0),
        flash_bytes=stored_bytes + runtime,
        ram_bytes=ram_bytes,
        latency_ms=took.latency_ms if isinstance(took, Estimate) and not refused else None,
        latency=NoEstimate(reason=refused) if refused else took,
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
