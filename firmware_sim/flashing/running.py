"""Run a vendor's tool as its user would, its output passed on as it comes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware_sim.flashing.tools import PIP, Command
from wire.errors import LinkError, NotFoundError

_PIECE_BYTES: Final = 4096
_LAST_BYTES: Final = 4096
_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(command: Command, show: Callable[[bytes], None]) -> None:
    """Until it ends. NotFoundError when it is not installed; LinkError with its last words when it fails."""
    program = find(command[0])
    with subprocess.Popen(
        [program, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        last = b""
        while piece := os.read(process.stdout.fileno(), _PIECE_BYTES):
            show(piece)
            last = (last + piece)[-_LAST_BYTES:]
    if process.returncode:
        raise LinkError("tool_failed", f"{command[0]} failed: {_last_words(last)}", "see its output above")


def find(program: str) -> str:
    """Beside this Python, where pip puts it, or on the PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which(program, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise NotFoundError("no_tool", f"{program} is not installed", f"pip install {PIP[program]}")
    return found


def _last_words(output: bytes) -> str:
    text = _COLOURS.sub("", output.decode("utf-8", "replace")).replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
