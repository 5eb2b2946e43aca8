"""``tinyfleet device``: list devices, show one, and tag it."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from tinyfleet.client import Client, connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit, say
from tinyfleet.table import table
from wire.errors import InputError

app = typer.Typer(no_args_is_help=True)
_PAGE = 1000


@app.command("list")
def list_devices(
    wanted: Annotated[
        str | None,
        typer.Option("--filter", help="Only these, such as: board like 'rpi-*' and group == 'lab'."),
    ] = None,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List devices with what they run; all, or those that a filter chooses."""
    with connect(server, token_file) as client:
        rows = _all(client, {} if wanted is None else {"filter": wanted})
    header = ["device", "presence", "board", "runs", "state", "reason", "tags"]
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


@app.command()
def tag(
    device: Annotated[str, typer.Argument(help="The device's id; it need not have connected yet.")],
    new: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Tags to set; group=... once for each group it is in."),
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; may be repeated.")] = None,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Set and remove tags of a device and leave its others; without any, show them."""
    changes = _changes(new or [], remove or [])
    with connect(server, token_file) as client:
        path = f"/devices/{device}/tags"
        found = client.put(path, changes) if changes else client.get(path)
    if not found["seen"]:
        say(f"{device} was never seen; its tags count from its first report")
    emit(found, as_json, lambda: f"{device}  {_tags(found)}")


def _changes(new: list[str], remove: list[str]) -> dict[str, str | list[str] | None]:
    """The body that the server takes: a tag given several times is a list."""
    given: dict[str, list[str]] = {}
    for word in new:
        name, sign, value = word.partition("=")
        if not sign:
            raise InputError("bad_tag", f"{word!r} is not NAME=VALUE", "such as region=eu")
        given.setdefault(name, []).append(value)
    if both := sorted(given.keys() & set(remove)):
        raise InputError("bad_tag", f"{both[0]} is set and removed", "do one of the two")
    single = {name: values[0] if len(values) == 1 else values for name, values in given.items()}
    return {**single, **dict.fromkeys(remove)}


def _all(client: Client, query: dict[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := client.get("/devices", after=rows[-1]["device"] if rows else "", limit=_PAGE, **query):
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
        _tags(device),
    ]
    return [cell or "-" for cell in cells]


def _runs(device: dict[str, Any]) -> str:
    return f"{device['model']} v{device['version']}" if device["model"] else "nothing"


def _tags(device: dict[str, Any]) -> str:
    """``group=kitchen group=lab region=eu``, as ``device tag`` takes them."""
    pairs = [
        shlex.quote(f"{name}={value}")
        for name, values in device["tags"].items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return " ".join(pairs) or "-"


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
    head = f"{device['device']}  {board}  {device['presence']}"
    tags = f"\ntags {_tags(device)}" if device["tags"] else ""
    return f"{head}\nruns {_runs(device)}{tags}\n\n{attempts}"
