"""What a model costs on the accelerators of the board catalogue, by vela where it is installed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

import boards
from converter import vela
from converter.latency import NoEstimate
from converter.vela import NpuCost
from wire.errors import FleetError

_MOST_S: Final = 60.0
Costs = Mapping[str, NpuCost | NoEstimate]
"""By accelerator."""


def costs(model: bytes, wanted: Container[str] | None = None) -> dict[str, NpuCost | NoEstimate]:
    """Of an int8 ``.tflite``, for boards of the targets ``wanted`` or all; else a reason."""
    known = map(boards.load, boards.names())
    asked = {board.npu for board in known if board.npu and (wanted is None or board.target in wanted)}
    return {accelerator: _cost(model, accelerator) for accelerator in sorted(asked)}


def _cost(model: bytes, accelerator: str) -> NpuCost | NoEstimate:
    try:
        return vela.compile_for(model, accelerator, timeout_s=_MOST_S).cost
    except FleetError as error:
        return NoEstimate(reason=error.message if not error.hint else f"{error.message} ({error.hint})")
