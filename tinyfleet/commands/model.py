"""``tinyfleet model``: push and list models and their versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from tinyfleet.table import table

app = typer.Typer(no_args_is_help=True)


@app.command()
def push(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory made by 'tinyfleet convert'.")],
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Send a signed bundle to the server's registry."""
    with connect(server, token_file) as client:
        ref = client.push(bundle)
    emit(ref, as_json, lambda: f"{ref['model']} v{ref['version']} is in the registry ({ref['digest'][:12]})")


@app.command("list")
def list_versions(server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List every version of every model."""
    with connect(server, token_file) as client:
        rows = client.get("/models")
    emit(
        rows,
        as_json,
        lambda: table(["model", "version", "digest", "bytes", "accuracy", "targets"], map(_row, rows)),
    )


def _row(version: dict[str, Any]) -> list[str]:
    accuracy = ", ".join(f"{family} {value:.3f}" for family, value in version["accuracy"].items())
    return [
        version["model"], str(version["version"]), version["digest"][:12], str(version["payload_bytes"]),
        accuracy, ", ".join(version["targets"]),
    ]  # fmt: skip
