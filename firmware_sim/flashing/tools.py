"""The commands of the vendors' tools, word by word. What they do to a board is theirs."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

from boards import Board
from firmware_sim.flashing.content import slot_address
from wire.errors import InputError, RefusedError

Command = tuple[str, ...]
PIP: Final = {"pyocd": "pyocd", "esptool": "esptool", "imgtool": "imgtool", "smpmgr": "smpmgr"}
"""What to install for each program."""
MCUBOOT_HEADER_BYTES: Final = 32
TOOLS: Final = ("pyocd", "esptool", "smpmgr")


def pyocd(board: Board, file: Path, probe: str | None) -> Command:
    """Write a .hex by a debug probe: the only one connected, or the one with this id."""
    if board.pyocd_target is None:
        raise RefusedError("no_target", f"pyOCD has no target for {board.name}", "use another --tool")
    which = () if probe is None else ("--uid", probe)
    return ("pyocd", "flash", "--no-wait", "--target", board.pyocd_target, *which, str(file))


def esptool(board: Board, file: Path, port: str | None) -> Command:
    """Write a .bin of the model alone to its slot, an offset in the chip's flash."""
    if board.esptool_chip is None:
        raise RefusedError("no_chip", f"{board.name} is no chip of Espressif's", "use another --tool")
    where = () if port is None else ("--port", port)
    offset = f"0x{slot_address(board):x}"
    return ("esptool", "--chip", board.esptool_chip, *where, "write-flash", offset, str(file))


def imgtool(board: Board, bare: Path, signed: Path, version: str, key: Path | None) -> Command:
    """Wrap an image for MCUboot, and sign it if there is a key."""
    by = () if key is None else ("--key", str(key))
    sizes = ("--header-size", str(MCUBOOT_HEADER_BYTES), "--pad-header", "--slot-size", str(board.slot_bytes))
    return ("imgtool", "sign", *sizes, "--align", "8", "--version", version, *by, str(bare), str(signed))


def smpmgr(port: str | None, *words: str) -> Command:
    """Say something to a board by SMP; ``port`` is an IP address or a serial port."""
    if port is None:
        raise InputError("no_port", "smpmgr needs --port", "give an IP address or a serial port")
    try:
        ipaddress.ip_address(port)
    except ValueError:
        return ("smpmgr", "--port", port, *words)
    return ("smpmgr", "--ip", port, *words)
