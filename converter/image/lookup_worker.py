"""Child process: every model of the folder on the 256 values of an int8.

``N.tflite`` in, ``N.table`` out, each as soon as it is known: bytes, by the input's bits as a number from
0 to 255. The facts are TFLM's words on models that it refuses.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from converter.child import serve
from converter.image.lookup import INPUTS, MODEL_FILE, TABLE_FILE
from runtimes.tflm import TflmInterpreter
from wire.errors import RefusedError

_ADDRESS_SPACE_BYTES = 4 * 1024**3
_ARENA_BYTES = 64 * 1024


def work(folder: Path, _args: list[str]) -> dict[int, str]:
    """All tables."""
    failed: dict[int, str] = {}
    for number in count():
        file = folder / MODEL_FILE.format(number)
        if not file.exists():
            return failed
        try:
            made = TflmInterpreter(file.read_bytes(), _ARENA_BYTES).run_all([INPUTS], 1)[0]
        except RefusedError as error:
            failed[number] = error.message
        else:
            (folder / TABLE_FILE.format(number)).write_bytes(made.tobytes())
    raise AssertionError


if __name__ == "__main__":
    serve(work, _ADDRESS_SPACE_BYTES)
