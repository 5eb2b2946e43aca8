"""``tinyfleet flash MODEL --board B``: a file for a board's flash, and the user's tool that writes it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyfleet.output import Json, emit, say

if TYPE_CHECKING:
    from boards import Board
    from firmware_sim.flashing.plan import Plan


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A bundle, a .tflite or a model image.")],
    board: Annotated[str, typer.Option(help="Its name in the catalogue.")],
    out: Annotated[Path | None, typer.Option(help="File to make: .bin, .hex or .uf2.")] = None,
    model_only: Annotated[
        bool, typer.Option("--model-only", help="The model's slot alone, not the runtime.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="Drive of a board in its UF2 boot loader.")] = None,
    tool: Annotated[str | None, typer.Option(help="pyocd, esptool or smpmgr.")] = None,
    port: Annotated[
        str | None, typer.Option(help="Of the tool: a probe's id, a serial port, an IP address.")
    ] = None,
    image_key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) that imgtool signs with, for smpmgr.")
    ] = None,
    image_version: Annotated[str, typer.Option(help="Version in MCUboot's header, for smpmgr.")] = "1.0.0",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make the file that a board is flashed with, and have the user's tool write it."""
    import boards
    from firmware_sim.flashing.model import read_image
    from firmware_sim.flashing.plan import Wanted, plan

    target, image = boards.load(board), read_image(model)
    wanted = Wanted(out, model_only, to, tool, port, image_key, image_version)
    planned = plan(target, image, model.stem, wanted)
    if not dry_run:
        _perform(planned, target)
    data = {
        "board": target.name,
        "image_bytes": len(image),
        "file": str(planned.file),
        "elf": None if planned.elf is None else str(planned.elf),
        "regions": [{"address": region.address, "bytes": len(region.data)} for region in planned.content],
        "commands": planned.lines,
        "dry_run": dry_run,
    }
    emit(data, as_json, lambda: "\n".join(planned.lines if dry_run else [str(planned.file)]))


def _perform(planned: Plan, board: Board) -> None:
    from firmware_sim.flashing.drive import check_drive, copy
    from firmware_sim.flashing.formats import write
    from firmware_sim.flashing.running import find, run

    # First whatever can be wrong without having written anything.
    if planned.drive is not None:
        check_drive(planned.drive, board)
    for words in planned.commands:
        find(words[0])
    data = write(planned.file, planned.content, board)
    say(f"{planned.file}: {len(data):,} bytes, from 0x{planned.content[0].address:08x}")
    if planned.file.suffix == ".uf2" and board.uf2_board is None:
        say(f"note: the stock boot loader of {board.name} takes no UF2; see docs/flashing.md")
    if planned.drive is not None:
        copy(data, planned.drive, planned.file.name, lambda done: _progress(done, len(data)))
    for words in planned.commands:
        say(f"+ {shlex.join(words)}")
        run(words, _pass_on)
    if planned.wrapped is not None:
        _say_what_next(planned.wrapped, planned.commands[-1])


def _pass_on(output: bytes) -> None:
    sys.stderr.buffer.write(output)
    sys.stderr.flush()


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done / total:4.0%}" + ("\n" if done == total else ""))
        sys.stderr.flush()


def _say_what_next(wrapped: Path, upload: tuple[str, ...]) -> None:
    """The board runs its old model until it is told otherwise."""
    from firmware_sim.smp.mcuboot import read

    sha256 = read(wrapped.read_bytes()).sha256.hex()
    board = shlex.join(upload[:3])
    say(f"uploaded. Try it at the next reset: {board} image state-write {sha256} && {board} os reset")
    say(f"It goes back by itself unless it is confirmed: {board} image state-write --confirm")
