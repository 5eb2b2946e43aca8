"""``tinyfleet alert``: what needs a person, and saying that somebody knows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from tinyfleet.table import table

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The alert's number.")]
Note = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
_NAMED = 12


@app.command("list")
def list_alerts(
    state: Annotated[
        str | None, typer.Option(help="open, acknowledged or resolved. Default: all of them.")
    ] = None,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List alerts, newest first."""
    with connect(server, token_file) as client:
        rows = client.get("/alerts", **({} if state is None else {"state": state}))
    header = ["number", "state", "severity", "kind", "since", "devices", "message"]
    emit(rows, as_json, lambda: table(header, map(_row, rows)))


@app.command()
def show(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Say which devices, since when, what changed and what to do."""
    with connect(server, token_file) as client:
        found = client.get(f"/alerts/{number}")
    emit(found, as_json, lambda: _describe(found))


@app.command()
def ack(
    number: Number,
    note: Note = "",
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say that somebody knows."""
    _command(number, "acknowledge", note, server, token_file, as_json)


@app.command()
def resolve(
    number: Number,
    note: Note = "",
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say that the cause is gone; if it is not, there will be another alert."""
    _command(number, "resolve", note, server, token_file, as_json)


def _command(
    number: int, command: str, note: str, server: Server, token_file: TokenFile, as_json: bool
) -> None:
    with connect(server, token_file) as client:
        found = client.post(f"/alerts/{number}/{command}", {"note": note})
    emit(found, as_json, lambda: _describe(found))


def _row(alert: dict[str, Any]) -> list[Any]:
    since = _moment(alert["since"] or alert["at"])
    devices = alert["device_count"] or ""
    return [alert["id"], alert["state"], alert["severity"], alert["kind"], since, devices, alert["message"]]


def _describe(alert: dict[str, Any]) -> str:
    lines = [
        f"alert {alert['id']} is {alert['state']} ({alert['severity']}, {alert['kind']}, {alert['subject']})"
    ]
    lines.append(alert["message"])
    lines.append(f"since    {_moment(alert['since'] or alert['at'])}, last seen {_moment(alert['last_at'])}")
    if alert["devices"]:
        more = f" and {alert['device_count'] - _NAMED} more" if alert["device_count"] > _NAMED else ""
        lines.append(f"devices  {', '.join(alert['devices'][:_NAMED])}{more}")
    if alert["changed"]:
        lines.append(f"changed  {alert['changed']}")
    if alert["advice"]:
        lines.append(f"to do    {alert['advice'].replace('NUMBER', str(alert['id']))}")
    if alert["changed_by"]:
        note = f": {alert['note']}" if alert["note"] else ""
        lines.append(f"{alert['state']} by {alert['changed_by']}{note}")
    return "\n".join(lines)


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).astimezone().isoformat(" ", "seconds")
