"""What a flash does, decided before anything is done: the file, and what follows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final, NamedTuple

from boards import Board
from firmware_sim.flashing import tools
from firmware_sim.flashing.content import Content, model_only, whole
from firmware_sim.flashing.tools import Command
from wire.errors import InputError

_VERSION: Final = re.compile(r"\d{1,3}\.\d{1,5}\.\d{1,5}(\+\d{1,9})?")
_SUFFIX: Final = {"pyocd": ".hex", "esptool": ".bin", "smpmgr": ".bin"}
_MODEL_ONLY: Final = frozenset({"esptool", "smpmgr"})
"""Tools for boards that have a firmware already."""


class Wanted(NamedTuple):
    """As the command line says it."""

    out: Path | None = None
    model_only: bool = False
    drive: Path | None = None
    tool: str | None = None
    port: str | None = None
    key: Path | None = None
    version: str = "1.0.0"


class Plan(NamedTuple):
    """Write the file; then copy it to the drive or run the commands, whichever there is."""

    content: Content
    file: Path
    drive: Path | None = None
    commands: tuple[Command, ...] = ()
    elf: Path | None = None
    """Of the runtime in the file, for a debugger; None for a model alone."""
    wrapped: Path | None = None
    """What imgtool makes of the file, for smpmgr."""

    @property
    def lines(self) -> list[str]:
        """What is run, quoted for a shell."""
        if self.drive is not None:
            return [shlex.join(("cp", str(self.file), str(self.drive)))]
        return [shlex.join(command) for command in self.commands]


def plan(board: Board, image: bytes, name: str, wanted: Wanted) -> Plan:
    """Without ``wanted.out`` the file is called after ``name``, in the current folder.

    InputError for options that contradict each other; RefusedError for what the board cannot take.
    """
    _check(wanted)
    suffix = ".uf2" if wanted.tool is None else _SUFFIX[wanted.tool]
    file = wanted.out or Path(f"{name}-{board.name}{suffix}")
    if (wanted.tool or wanted.drive) and file.suffix != suffix:
        raise InputError("wrong_format", f"{wanted.tool or 'a drive'} gets a {suffix}", "change --out")
    alone = wanted.model_only or wanted.tool in _MODEL_ONLY
    content, elf = (model_only(board, image), None) if alone else whole(board, image)
    bare = Plan(content, file, wanted.drive, elf=elf)
    match wanted.tool:
        case "pyocd":
            return bare._replace(commands=(tools.pyocd(board, file, wanted.port),))
        case "esptool":
            return bare._replace(commands=(tools.esptool(board, file, wanted.port),))
        case "smpmgr":
            wrapped = file.with_suffix(".signed.bin")
            sign = tools.imgtool(board, file, wrapped, wanted.version, wanted.key)
            upload = tools.smpmgr(wanted.port, "image", "upload", str(wrapped))
            return bare._replace(commands=(sign, upload), wrapped=wrapped)
    return bare


def _check(wanted: Wanted) -> None:
    if wanted.out is None and wanted.drive is None and wanted.tool is None:
        raise InputError("nothing_to_do", "--out, --to or --tool is needed", "see: tinyfleet flash --help")
    if wanted.drive is not None and wanted.tool is not None:
        raise InputError("two_ways", "--to and --tool exclude each other", "leave one out")
    if wanted.tool is not None and wanted.tool not in tools.TOOLS:
        raise InputError("unknown_tool", f"{wanted.tool} is no tool", f"use {', '.join(tools.TOOLS)}")
    if not _VERSION.fullmatch(wanted.version):
        raise InputError("bad_version", f"{wanted.version} is no version", "use MAJOR.MINOR.REVISION")
