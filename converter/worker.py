"""Child process: runs one int8 model over inputs in one numerics family.

Folder: ``model.tflite`` and ``inputs.npy`` in, ``outputs.npy`` out. Arguments: the family, the arena to
begin with, and ``measure`` to find the smallest one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from converter.arena import ArenaReport, Found, runs_in_fork, smallest
from converter.child import serve
from runtimes import open_model
from wire.states import NumericsFamily

_ADDRESS_SPACE_BYTES = 4 * 1024**3


def work(folder: Path, args: list[str]) -> Found:
    """Run every input; with ``measure`` also the arena's figures."""
    family, arena_bytes, measure = NumericsFamily(args[0]), int(args[1]), args[2] == "measure"
    model = (folder / "model.tflite").read_bytes()
    inputs = np.load(folder / "inputs.npy")
    interpreter = open_model(family, model, arena_bytes)
    outputs = np.stack([interpreter.run(window) for window in inputs])
    np.save(folder / "outputs.npy", outputs)
    if not measure:
        return Found()
    from runtimes.tflm import TflmInterpreter

    probe = TflmInterpreter(model, arena_bytes)
    probe.run(inputs[0])
    used = probe.arena()
    least = smallest(lambda size: runs_in_fork(model, inputs[0], outputs[0], size), used.total)
    return Found(arena=ArenaReport(head=used.head, tail=used.tail, total=used.total, confirmed_min=least))


if __name__ == "__main__":
    serve(work, _ADDRESS_SPACE_BYTES)
