"""Running an int8 model for real, safely: in a child process that may crash instead of us."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter import child
from converter.arena import ArenaReport, Found, generous_bytes
from converter.flatbuffer import parse
from wire.errors import RefusedError
from wire.states import NumericsFamily, Reason

Int8 = NDArray[np.int8]
_START_S: Final = 120.0
_SLOWEST_S: Final = 2.0
"""For one inference, with room to spare: TFLM takes about 5 ms for MLPerf Tiny's keyword model on a host."""


class Executed(NamedTuple):
    """What came out."""

    outputs: Int8
    """(n, *output shape without the batch)."""
    arena: ArenaReport | None
    """Only when it was measured."""


def execute(family: NumericsFamily, model: bytes, inputs: Int8, *, measure_arena: bool = False) -> Executed:
    """Outputs for ``inputs`` (n, *input shape without the batch); RefusedError in the runtime's words."""
    arena_bytes = generous_bytes(len(model), parse(model).activation_bytes)
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        np.save(folder / "inputs.npy", inputs)
        mode = "measure" if measure_arena else "run"
        found = child.call(
            "converter.worker",
            folder,
            family,
            str(arena_bytes),
            mode,
            facts=Found,
            timeout_s=_START_S + _SLOWEST_S * len(inputs),
        )
        outputs: Int8 = np.load(folder / "outputs.npy", allow_pickle=False)
    if outputs.dtype != np.int8 or len(outputs) != len(inputs):
        raise RefusedError(
            Reason.RUNTIME_REFUSED, f"the runtime answers in {outputs.dtype}", "check the conversion"
        )
    return Executed(outputs, found.arena)
