"""What a model needs on each target."""

from __future__ import annotations

from collections.abc import Sequence

import boards
from wire.errors import NotFoundError
from wire.manifest import TargetNeeds
from wire.states import NumericsFamily


def families(names: Sequence[str]) -> dict[str, NumericsFamily]:
    """Numerics family of each target, sorted; all targets when none is named. NotFoundError if unknown."""
    known = {board.target: board.numerics for board in map(boards.load, boards.names())}
    for name in names:
        if name not in known:
            raise NotFoundError(
                "unknown_target", f"there is no target {name!r}", f"use: {', '.join(sorted(known))}"
            )
    return {name: known[name] for name in sorted(set(names) or known)}


def litert_bytes(model_bytes: int, activation_bytes: int) -> int:
    """Upper bound for LiteRT, computed and not measured.

    The file, XNNPACK's own copy of its weights, and every activation in memory of its own.
    """
    return 2 * model_bytes + activation_bytes


def needs(
    targets: dict[str, NumericsFamily], arena_bytes: int | None, litert_ram_bytes: int, payload_bytes: int
) -> dict[str, TargetNeeds]:
    """RAM and flash per target; ``arena_bytes`` was confirmed by execution."""
    ram = {NumericsFamily.TFLM: arena_bytes or 0, NumericsFamily.XNNPACK: litert_ram_bytes}
    return {
        name: TargetNeeds(numerics=family, ram_bytes=ram[family], flash_bytes=payload_bytes)
        for name, family in targets.items()
    }
