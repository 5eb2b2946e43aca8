"""The catalogue as a Markdown table, for ``docs/boards.md``: ``python -m boards.table``."""

from __future__ import annotations

import sys

import boards
from boards import Board

_HEAD = "| board | target | core, clock | RAM, of it for a model | flash, of it a slot | numerics |"


def table() -> str:
    """One row a board; the sources of the figures below it."""
    known = [boards.load(name) for name in boards.names()]
    rows = [_HEAD, "|" + "---|" * _HEAD.count(" | ") + "---|", *map(_row, known)]
    return "\n".join(rows) + "\n\n" + "\n".join(map(_sources, known))


def _row(board: Board) -> str:
    ram, model, flash, slot = map(
        _size, (board.ram_bytes, board.model_ram_bytes, board.flash_bytes, board.slot_bytes)
    )
    clock = f"{board.core}, {board.clock_mhz:g} MHz"
    if board.npu is not None:
        clock += f"; {board.npu}, {board.npu_clock_mhz:g} MHz"
    cells = [
        f"`{board.name}`",
        f"`{board.target}`",
        clock,
        f"{ram}, {model}",
        f"{flash}, {slot}",
        board.numerics,
    ]
    return f"| {' | '.join(cells)} |"


def _sources(board: Board) -> str:
    npu = f" NPU: {board.npu_source}." if board.npu is not None else ""
    power = f" Power: {board.power_source}." if board.power_source else ""
    return (
        f"- **{board.title}** (`{board.name}`): {board.source}. Reserve: {board.reserved}. "
        f"Runtime: {board.runtime_source}.{npu}{power}"
    )


def _size(nbytes: int) -> str:
    """In KB of 1,024 bytes up to 10 MB, else in MB."""
    return f"{nbytes / 1024:,.0f} KB" if nbytes < 10 * 1024**2 else f"{nbytes / 1024**2:,.0f} MB"


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
