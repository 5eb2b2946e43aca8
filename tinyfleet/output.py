"""Data on stdout, messages on stderr; the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from wire.errors import ExitCode, FleetError

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def emit(data: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print a result: ``data`` as JSON, or else what ``text`` makes of it for people."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")
    else:
        sys.stdout.write(text().rstrip("\n") + "\n")
    # In a pipe it would stay behind when the command goes on, as the demo does.
    sys.stdout.flush()


def say(message: str) -> None:
    """A message to the person at the terminal, never part of the data."""
    sys.stderr.write(message + "\n")


def fail(error: FleetError) -> ExitCode:
    """Print the error's one line and return the exit code of its family."""
    hint = f" ({error.hint})" if error.hint else ""
    say(f"tinyfleet: {error.message}{hint}")
    return error.exit_code
