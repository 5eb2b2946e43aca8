"""What a run answered to the windows that it was held out from."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.run import EVAL_FILE, Run, read
from wire.errors import InputError, NotFoundError
from wire.manifest import digest_of

_MAX_FILE_BYTES: Final = 2 * 1024**3


@dataclass(frozen=True)
class Answers:
    """n held-out windows."""

    folder: Path
    run: Run
    windows: str
    """SHA-256 of the windows, their classes and groups: what must be the same to compare."""
    right: NDArray[np.bool_]
    """(n,)."""
    answer: NDArray[np.int64]
    group: NDArray[np.str_]


def load(folder: Path) -> Answers:
    """Of a run folder; InputError when its answers were not kept or the test groups not looked at."""
    record, file = read(folder), folder / EVAL_FILE
    if record.metrics.test_accuracy is None:
        raise InputError(
            "not_scored", f"{folder} is a trial: it never saw the held-out groups", "compare the study's best"
        )
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError(f"over {_MAX_FILE_BYTES} bytes")
        with np.load(file, allow_pickle=False) as arrays:
            x, y, group, answer = (arrays[name] for name in ("x", "y", "group", "answer"))
        right = (answer == y).astype(bool)
        digest = digest_of(b"".join(np.ascontiguousarray(each).tobytes() for each in (x, y, group)))
    except FileNotFoundError as error:
        raise NotFoundError("no_file", f"there is no {file}", "train again") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError("bad_samples", f"{file}: {str(error)[:120]}", "train again") from error
    return Answers(folder, record, digest, right, answer.astype(np.int64), group)
