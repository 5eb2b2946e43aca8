"""``tinyfleet device``: list devices and show one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyfleet.client import Client, connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from tinyfleet.table import table

app = typer.Typer(no_args_is_help=True)
_PAGE = 1000


@app.command("list")
def list_devices(server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List all devices with what they run."""
    with connect(server, token_file) as client:
        rows = _all(client)
    header = ["device", "presence", "board", "runs", "state", "reason"]
    emit(rows, as_json, lambda: table(header, map(_row, rows)))


@app.command()
def show(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Show one device and its update attempts."""
    with connect(server, token_file) as client:
        found = client.get(f"/devices/{device}")
    emit(found, as_json, lambda: _describe(found))


def _all(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := client.get("/devices", after=rows[-1]["device"] if rows else "", limit=_PAGE):
        rows += page
    return rows


def _row(device: dict[str, Any]) -> list[str]:
    cells = [
        device["device"],
        device["presence"],
        device["board"],
        _runs(device),
        device["state"],
        device["reason"],
    ]
    return [cell or "-" for cell in cells]


def _runs(device: dict[str, Any]) -> str:
    return f"{device['model']} v{device['version']}" if device["model"] else "nothing"


def _describe(device: dict[str, Any]) -> str:
    attempts = table(
        ["sequence", "rollout", "bundle", "state", "reason", "downloaded", "detail"],
        (
            [
                str(a["sequence"]), str(a["rollout"] or a["restores"] or "-"), a["digest"][:12], a["state"],
                a["reason"], str(a["downloaded_bytes"]), a["detail"],
            ]
            for a in device["attempts"]
        ),
    )  # fmt: skip
    board = f"{device['board']} ({device['target']}, {device['numerics']})"
    return f"{device['device']}  {board}  {device['presence']}\nruns {_runs(device)}\n\n{attempts}"
