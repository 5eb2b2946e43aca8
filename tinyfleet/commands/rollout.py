"""``tinyfleet rollout``: roll a version out in stages, watch it, and intervene."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from tinyfleet.client import Client, connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit, say
from tinyfleet.table import table
from wire.errors import ExitCode, InputError

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The rollout's number.")]
_ENDS = ("finished", "stopped")


@app.command()
def create(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    version: Annotated[int, typer.Argument(help="The version to ship.")],
    stages: Annotated[str, typer.Option(help="Rising shares of the fleet, in percent.")] = "10,50,100",
    max_failed: Annotated[float, typer.Option(help="Share of a stage that may fail, percent.")] = 10,
    deadline_s: Annotated[float, typer.Option(help="A silent device has failed after this.")] = 3600,
    soak_s: Annotated[float, typer.Option(help="How long each stage is watched.")] = 600,
    report_every_s: Annotated[float, typer.Option(help="Length of the devices' telemetry windows.")] = 60,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Begin to roll a version out over the devices that it fits."""
    body = {
        "model": model,
        "version": version,
        "stages": _shares(stages),
        "max_failed": max_failed / 100,
        "deadline_s": deadline_s,
        "soak_s": soak_s,
        "report_every_ms": round(report_every_s * 1000),
    }
    with connect(server, token_file) as client:
        made = client.post("/rollouts", body)
    emit(made, as_json, lambda: describe(made))


@app.command("list")
def list_rollouts(server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List all rollouts, newest first."""
    with connect(server, token_file) as client:
        rows = client.get("/rollouts")
    emit(rows, as_json, lambda: "\n".join(describe(row) for row in rows))


@app.command()
def show(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Show one rollout with every device's part in it."""
    with connect(server, token_file) as client:
        found = client.get(f"/rollouts/{number}")
    emit(found, as_json, lambda: f"{describe(found)}\n\n{_devices(found)}")


@app.command()
def watch(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Follow a rollout until it ends; exit 4 when it was stopped."""
    with connect(server, token_file) as client:
        found = follow(client, number)
    emit(found, as_json, lambda: describe(found))
    if found["state"] == "stopped":
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def pause(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Assign no further devices."""
    _command(number, "pause", server, token_file, as_json)


@app.command()
def resume(
    number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Go on after a pause."""
    _command(number, "resume", server, token_file, as_json)


@app.command()
def stop(number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """End a rollout; devices keep what they run."""
    _command(number, "stop", server, token_file, as_json)


@app.command()
def rollback(
    number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Give every device of a rollout the version that it ran before."""
    _command(number, "rollback", server, token_file, as_json)


def follow(client: Client, number: int, every_s: float = 0.5) -> dict[str, Any]:
    """The rollout once it has ended; each change is a line on stderr."""
    said = ""
    while True:
        found: dict[str, Any] = client.get(f"/rollouts/{number}")
        if (line := describe(found)) != said:
            say(line)
            said = line
        if found["state"] in _ENDS:
            return found
        time.sleep(every_s)


def describe(rollout: dict[str, Any]) -> str:
    """One line: what goes where, how far it is, and why it ended."""
    bundle = rollout["bundle"]
    stages = " ".join(f"{_whom(stage)}:{stage['state']}" for stage in rollout["stages"])
    counts = ", ".join(f"{n} {state}" for state, n in sorted(rollout["counts"].items()))
    why = f" - {rollout['reason']}" if rollout["reason"] else ""
    head = f"rollout {rollout['id']}: {bundle['model']} v{bundle['version']} {rollout['state']}{why}"
    return f"{head} [{stages}] {counts or 'nobody yet'} of {rollout['total']}"


def _whom(stage: dict[str, Any]) -> str:
    return str(stage["kind"]) if stage["share"] is None else f"{stage['share']:.0%}"


def _command(number: int, name: str, server: str | None, token_file: Any, as_json: bool) -> None:
    with connect(server, token_file) as client:
        found = client.post(f"/rollouts/{number}/{name}")
    emit(found, as_json, lambda: describe(found))


def _shares(text: str) -> list[float]:
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise InputError(
            "bad_stages", f"--stages {text!r} is not a list of percents", "such as 10,50,100"
        ) from None


def _devices(rollout: dict[str, Any]) -> str:
    return table(
        ["device", "stage", "state", "reason", "downloaded", "restored", "detail"],
        (
            [
                m["device"],
                "-" if m["stage"] is None else str(m["stage"] + 1),
                m["state"] or ("refused" if m["refused"] else "waiting"),
                m["reason"] or "-",
                str(m["downloaded_bytes"] or 0),
                m["restored"] or "-",
                m["detail"] or m["refused"] or "",
            ]
            for m in rollout["devices"]
        ),
    )
