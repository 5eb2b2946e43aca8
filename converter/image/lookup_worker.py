"""Child process: every model of the folder on the 256 values of an int8.

``N.tflite`` in, ``N.table`` out, each as soon as it is known: bytes, by the input's bits as a number from
0 to 255. The facts are TFLM's words on each model: none when there is a table.
"""

from __future__ import annotations

from pathlib import Path

from converter.child import serve
from converter.image.lookup import INPUTS, MODEL_FILE, TABLE_FILE
from runtimes.tflm import TflmInterpreter
from wire.errors import RefusedError

_ADDRESS_SPACE_BYTES = 4 * 1024**3
_ARENA_BYTES = 64 * 1024


def work(folder: Path, _args: list[str]) -> list[str]:
    """All tables."""
    said: list[str] = []
    while (file := folder / MODEL_FILE.format(len(said))).exists():
        said.append(_tabulate(file.read_bytes(), folder / TABLE_FILE.format(len(said))))
    return said


def _tabulate(model: bytes, table: Path) -> str:
    """Nothing, or why there is no table."""
    try:
        made = TflmInterpreter(model, _ARENA_BYTES).run_all([INPUTS], 1)[0]
    except RefusedError as error:
        return error.message
    table.write_bytes(made.tobytes())
    return ""


if __name__ == "__main__":
    serve(work, _ADDRESS_SPACE_BYTES)
