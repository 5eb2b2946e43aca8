"""``tinyfleet demo``: the whole loop on this machine."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.demo.children import Children
from tinyfleet.demo.learning import picture
from tinyfleet.demo.result import DemoResult
from tinyfleet.demo.screen import Screen
from tinyfleet.demo.settings import DemoSettings, Scenario, free_port, prepare_folder
from tinyfleet.demo.story import tell
from tinyfleet.output import Json, emit, say
from tinyfleet.table import table
from wire.errors import ExitCode


def command(
    folder: Annotated[Path, typer.Option("--dir", help="Where everything goes.")] = Path("demo"),
    leave: Annotated[bool, typer.Option("--exit", help="End after the story.")] = False,
    port: Annotated[int, typer.Option(help="Dashboard's port; a free one when it is taken.")] = 8080,
    seed: Annotated[int, typer.Option(help="Seed of training, devices and damage.")] = 1,
    scenario: Annotated[
        Scenario, typer.Option(help="rollouts, or drift: sensors change, and the fleet learns from it.")
    ] = "rollouts",
    mcus: Annotated[int, typer.Option(min=1, max=200, help="Simulated microcontrollers.")] = 20,
    as_json: Json = False,
) -> None:
    """Train, convert, sign, roll out, watch - and catch a broken model."""
    # SIGTERM must end the children too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo = DemoSettings(
        folder=prepare_folder(folder), port=free_port(port), seed=seed, mcus=mcus, scenario=scenario
    )
    with Children(demo.folder / "logs") as children:
        result = tell(demo, children, Screen())
        if result.loop is not None:
            drawing = demo.folder / "accuracy.svg"
            drawing.write_text(picture(result, result.loop), "utf-8")
            say(f"accuracy over time: {drawing}")
        emit(result, as_json, lambda: _describe(result))
        if not leave:
            say(f"\nThe fleet goes on: {result.dashboard_url} (Ctrl-C ends it)")
            signal.pause()
    if result.surprises:
        say(f"tinyfleet: the story went otherwise: {'; '.join(result.surprises)} (see {demo.folder}/logs)")
        raise typer.Exit(ExitCode.FAILED)


def _describe(result: DemoResult) -> str:
    rows = [
        [
            f"v{version}",
            str(outcome.confirmed),
            str(outcome.rolled_back),
            str(outcome.failed),
            f"{result.accuracy[version]:.3f}" if version in result.accuracy else "-",
        ]
        for version, outcome in result.versions.items()
    ]
    versions = table(["version", "confirmed", "rolled back", "failed", "accuracy in the field"], rows)
    boards = [
        [board, str(result.boards[board]), *(_milliseconds(result, version, board) for version in ("1", "2"))]
        for board in result.boards
    ]
    latency = table(["board", "devices", "v1 takes", "v2 takes (microcontrollers: by emulated core)"], boards)
    return f"\n{versions}\n\n{latency}"


def _milliseconds(result: DemoResult, version: str, board: str) -> str:
    found = result.latency_ms.get(version, {}).get(board)
    return "-" if found is None else f"{found:.3g} ms"
