"""``tinyfleet samples``: ask devices for windows, look at what came, and label it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from tinyfleet.table import table

app = typer.Typer(no_args_is_help=True)


@app.command()
def ask(
    device: Annotated[list[str] | None, typer.Argument(help="Whom to ask.")] = None,
    from_alert: Annotated[int | None, typer.Option(min=1, help="An alert, whose devices are asked.")] = None,
    per_device: Annotated[int, typer.Option(min=1, max=256, help="How many, at most.")] = 32,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Ask devices for raw windows; those whose owners allow it will send some."""
    body = {"devices": device or [], "alert": from_alert, "per_device": per_device}
    with connect(server, token_file) as client:
        found = client.post("/samples/requests", body)
    emit(found, as_json, lambda: _describe(found))


@app.command("list")
def list_requests(server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List requests, newest first."""
    with connect(server, token_file) as client:
        rows = client.get("/samples/requests")
    header = ["request", "alert", "devices", "samples", "labelled", "asked by"]
    emit(rows, as_json, lambda: table(header, map(_row, rows)))


@app.command()
def show(
    request: Annotated[int, typer.Argument(min=1, help="Number of the request.")],
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Show whom a request went to and what came back."""
    with connect(server, token_file) as client:
        found = client.get(f"/samples/requests/{request}")
    emit(found, as_json, lambda: _describe(found))


@app.command()
def label(
    sample: Annotated[int, typer.Argument(min=1, help="Number of the sample.")],
    truth: Annotated[int, typer.Argument(min=0, help="Its class, from 0.")],
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say what a sample is."""
    with connect(server, token_file) as client:
        found = client.put(f"/samples/{sample}/label", {"label": truth})
    emit(found, as_json, lambda: f"sample {sample} is of class {truth}")


def _row(request: dict[str, Any]) -> list[Any]:
    return [
        request["id"], request["alert"] or "", request["devices"], request["samples"], request["labelled"],
        request["asked_by"],
    ]  # fmt: skip


def _describe(request: dict[str, Any]) -> str:
    rows = [[d["device"], d["state"], d["samples"], d["labelled"]] for d in request["devices"]]
    return f"request {request['id']}\n" + table(["device", "state", "samples", "labelled"], rows)
