"""A board that shows itself as a drive: recognise it, copy a UF2 file to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from boards import Board
from wire.errors import NotFoundError, RefusedError, StoreError

INFO_FILE: Final = "INFO_UF2.TXT"
_MAX_INFO_BYTES: Final = 4096
_PIECE_BYTES: Final = 64 * 1024
_BOARD_ID: Final = re.compile(rb"^Board-ID:\s*(\S+)", re.MULTILINE)


def check_drive(drive: Path, board: Board) -> None:
    """NotFoundError when ``drive`` is no board's; RefusedError when it is another board's."""
    if board.uf2_board is None:
        raise RefusedError(
            "no_drive", f"the stock boot loader of {board.name} shows no UF2 drive", "use --tool pyocd"
        )
    try:
        with (drive / INFO_FILE).open("rb") as stream:
            info = stream.read(_MAX_INFO_BYTES)
    except OSError as error:
        raise NotFoundError(
            "no_drive", f"{drive} has no {INFO_FILE}", "connect the board while holding BOOTSEL, and mount it"
        ) from error
    found = _BOARD_ID.search(info)
    name = found[1].decode("ascii", "replace") if found else "unknown"
    if name != board.uf2_board:
        raise RefusedError(
            "wrong_board",
            f"the board at {drive} is {name}, {board.name} is {board.uf2_board}",
            "check --board",
        )


def copy(data: bytes, drive: Path, name: str, progress: Callable[[int], None]) -> None:
    """Write the file and see it through to the board; ``progress`` is told how many bytes are written.

    StoreError when it does not arrive. A board that has all of it restarts at once, and its drive goes.
    """
    file, written = drive / name, 0
    try:
        with file.open("wb", buffering=0) as stream:
            while written < len(data):
                written += stream.write(data[written : written + _PIECE_BYTES])
                os.fsync(stream.fileno())
                progress(written)
    except OSError as error:
        if written == len(data) and not (drive / INFO_FILE).exists():
            return
        raise StoreError(
            "cannot_write", f"cannot write {file}: {error.strerror}", "connect the board again"
        ) from error
