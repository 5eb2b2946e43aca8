"""``tinyfleet alert``: what needs a person, who was told of it, and saying that somebody knows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from tinyfleet.table import table
from wire.states import AlertKind, AlertState

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The alert's number.")]
Note = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
_NAMED = 12


@app.command("list")
def list_alerts(
    state: Annotated[AlertState | None, typer.Option(help="Only these. Default: all.")] = None,
    kind: Annotated[AlertKind | None, typer.Option(help="Only these. Default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 200,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List alerts, newest first."""
    wanted = {"state": state, "kind": kind}
    query = {name: str(value) for name, value in wanted.items() if value is not None}
    with connect(server, token_file) as client:
        rows = client.get("/alerts", limit=limit, **query)
    header = ["number", "state", "severity", "kind", "since", "devices", "message"]
    emit(rows, as_json, lambda: table(header, map(_row, rows)))


@app.command()
def show(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Say which devices, since when, what changed and what to do; what happened to it, and who was told."""
    with connect(server, token_file) as client:
        found = client.get(f"/alerts/{number}")
    emit(found, as_json, lambda: f"{_describe(found)}{_history(found)}{_deliveries(found)}")


@app.command()
def ack(
    number: Number,
    note: Note = "",
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say that somebody knows; it stays so until it gets worse."""
    _command(number, "acknowledge", note, server, token_file, as_json)


@app.command()
def resolve(
    number: Number,
    note: Note = "",
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say that the cause is gone; if it comes back soon, the alert is opened again."""
    _command(number, "resolve", note, server, token_file, as_json)


@app.command()
def channels(server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List who is told of alerts, and what reached them."""
    with connect(server, token_file) as client:
        rows = client.get("/alerts/channels")
    header = ["channel", "delivered", "waiting", "given up", "last delivered", "trouble"]
    emit(rows, as_json, lambda: table(header, map(_channel, rows)))


def _command(
    number: int, command: str, note: str, server: str | None, token_file: Any, as_json: bool
) -> None:
    with connect(server, token_file) as client:
        found = client.post(f"/alerts/{number}/{command}", {"note": note})
    emit(found, as_json, lambda: _describe(found))


def _row(alert: dict[str, Any]) -> list[str]:
    since = _moment(alert["since"])
    devices = str(alert["device_count"] or "-")
    return [
        str(alert["id"]), alert["state"], alert["severity"], alert["kind"], since, devices, alert["message"],
    ]  # fmt: skip


def _describe(alert: dict[str, Any]) -> str:
    lines = [
        f"alert {alert['id']} is {alert['state']} ({alert['severity']}, {alert['kind']}, {alert['subject']})",
        alert["message"],
        f"since    {_moment(alert['since'])}, seen {alert['seen']} times, last {_moment(alert['last_at'])}",
    ]
    if alert["devices"]:
        more = f" and {alert['device_count'] - _NAMED} more" if alert["device_count"] > _NAMED else ""
        lines.append(f"devices  {', '.join(alert['devices'][:_NAMED])}{more}")
    lines += [f"changed  {alert['changed']}"] if alert["changed"] else []
    if alert["advice"]:
        lines.append(f"to do    {alert['advice'].replace('NUMBER', str(alert['id']))}")
    if alert["changed_by"]:
        note = f": {alert['note']}" if alert["note"] else ""
        lines.append(f"{alert['state']} by {alert['changed_by']}{note}")
    return "\n".join(lines)


def _history(alert: dict[str, Any]) -> str:
    lines = [f"{_moment(event['at'])}  {event['message']}" for event in reversed(alert["history"])]
    return "".join(f"\n{line}" for line in ["", *lines]) if lines else ""


def _deliveries(alert: dict[str, Any]) -> str:
    rows = [
        [d["channel"], d["event"], d["state"], str(d["attempts"]), _moment(d["settled_at"]), d["detail"]]
        for d in reversed(alert["deliveries"])
    ]
    header = ["channel", "event", "delivery", "attempts", "at", "detail"]
    return f"\n\n{table(header, rows)}" if rows else ""


def _channel(row: dict[str, Any]) -> list[str]:
    trouble = row["detail"] if row["waiting"] and row["attempts"] else ""
    counts = [str(row[name]) for name in ("delivered", "waiting", "given_up")]
    return [row["name"], *counts, _moment(row["delivered_at"]), trouble or "-"]


def _moment(unix_s: float | None) -> str:
    return "-" if unix_s is None else datetime.fromtimestamp(unix_s).astimezone().isoformat(" ", "seconds")
