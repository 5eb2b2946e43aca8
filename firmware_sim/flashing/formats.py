"""The bytes of a file for a board's flash, by the file's suffix."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

from boards import Board
from firmware_sim.flashing.content import ERASED, Content
from firmware_sim.flashing.uf2 import uf2
from wire.errors import InputError, RefusedError, StoreError


def encode(content: Content, board: Board, suffix: str) -> bytes:
    """InputError for a suffix that is none of FORMATS; RefusedError for UF2 where the chip has no family."""
    if suffix not in FORMATS:
        raise InputError(
            "unknown_format", f"{suffix or 'no suffix'} is no format", f"use {', '.join(FORMATS)}"
        )
    return FORMATS[suffix](content, board)


def write(file: Path, content: Content, board: Board) -> bytes:
    """Write the file in the format of its suffix; its bytes. StoreError when that fails."""
    data = encode(content, board, file.suffix)
    try:
        file.write_bytes(data)
    except OSError as error:
        raise StoreError(
            "cannot_write", f"cannot write {file}: {error.strerror}", "check the path"
        ) from error
    return data


def _binary(content: Content, _board: Board) -> bytes:
    """From the first region to the last, what is between them erased."""
    data = bytearray()
    for region in content:
        data += ERASED * (region.address - content[0].address - len(data)) + region.data
    return bytes(data)


def _hex(content: Content, _board: Board) -> bytes:
    from intelhex import IntelHex

    file, text = IntelHex(), io.StringIO()
    for region in content:
        file.puts(region.address, region.data)
    file.write_hex_file(text, eolstyle="native")
    return text.getvalue().encode()


def _uf2(content: Content, board: Board) -> bytes:
    if board.uf2_family is None:
        raise RefusedError("no_uf2", f"no boot loader of {board.name} takes UF2", "use .hex and --tool pyocd")
    return uf2(content, board.uf2_family)


FORMATS: Final[dict[str, Callable[[Content, Board], bytes]]] = {".bin": _binary, ".hex": _hex, ".uf2": _uf2}
