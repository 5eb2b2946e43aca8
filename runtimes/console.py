"""What C++ libraries write to the process's standard output and error, kept away from the terminal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_MAX_BYTES: Final = 64 * 1024


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Send file descriptors 1 and 2 to a file; yields a function that reads the first 64 KB of it."""
    with tempfile.TemporaryFile() as log:
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield lambda: os.pread(log.fileno(), _MAX_BYTES, 0).decode("utf-8", "replace")
        finally:
            for fd, target in zip(saved, (1, 2), strict=True):
                os.dup2(fd, target)
                os.close(fd)
