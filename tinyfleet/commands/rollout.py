"""``tinyfleet rollout``: roll a version out in stages, watch it, and intervene."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tinyfleet import policy_file
from tinyfleet.client import Client, connect
from tinyfleet.commands import rollout_gates
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
    policy: Annotated[
        Path | None, typer.Option(help="How, as a TOML file (docs/rollouts.md); options override it.")
    ] = None,
    stages: Annotated[str | None, typer.Option(help="Rising shares of the fleet, in percent.")] = None,
    where: Annotated[str | None, typer.Option(help="Which devices: a filter (docs/filters.md).")] = None,
    control: Annotated[
        float | None, typer.Option(min=0, max=50, help="Share that stays on the old version, percent.")
    ] = None,
    max_failed: Annotated[float | None, typer.Option(help="Share of a stage that may fail, percent.")] = None,
    deadline_s: Annotated[float | None, typer.Option(help="A silent device has failed after this.")] = None,
    soak_s: Annotated[float | None, typer.Option(help="How long each stage is watched.")] = None,
    report_every_s: Annotated[
        float | None, typer.Option(help="Length of the devices' telemetry windows.")
    ] = None,
    start: Annotated[bool, typer.Option(help="Begin at once, or wait for: tinyfleet rollout start.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who would take part.")] = False,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Begin to roll a version out over the devices that it fits."""
    written = {} if policy is None else policy_file.read(policy)
    chosen = {
        "stages": None if stages is None else _shares(stages),
        "where": where,
        "control": None if control is None else control / 100,
        "max_failed": None if max_failed is None else max_failed / 100,
        "deadline_s": deadline_s,
        "soak_s": soak_s,
    }
    written |= {key: value for key, value in chosen.items() if value is not None}
    if report_every_s is not None:
        written["device"] = {**written.get("device", {}), "report_every_ms": round(report_every_s * 1000)}
    body = {"model": model, "version": version, "policy": written, "start": start}
    with connect(server, token_file) as client:
        made = client.post("/rollouts?dry_run=true" if dry_run else "/rollouts", body)
    emit(made, as_json, lambda: _fits(made) if dry_run else describe(made))


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


def _add_command(name: str, what: str, staged: bool = False) -> None:
    def plain(
        number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False
    ) -> None:
        _command(number, name, server, token_file, as_json)

    def of_stage(
        number: Number,
        stage: Annotated[int | None, typer.Option(min=1, help="Only if it is this stage's turn.")] = None,
        server: Server = None,
        token_file: TokenFile = None,
        as_json: Json = False,
    ) -> None:
        query = "" if stage is None else f"?stage={stage}"
        _command(number, f"{name}{query}", server, token_file, as_json)

    app.command(name, help=what)(of_stage if staged else plain)


_add_command("start", "Begin a rollout that was made with --no-start.")
_add_command("approve", "Let a stage begin that waits for it.", staged=True)
_add_command("pause", "Assign no further devices.")
_add_command("resume", "Go on after a pause.")
_add_command("skip", "End the present stage now; devices that were not told yet go along.", staged=True)
_add_command("stop", "End a rollout; devices keep what they run, and who has begun may finish.")
_add_command("abort", "Stop, and withdraw every attempt that is not confirmed.")
_add_command("rollback", "Give every device of a rollout the version that it ran before.")
rollout_gates.add_to(app)


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


def _fits(found: dict[str, Any]) -> str:
    """Of a dry run: how many would be told, and why the others would not."""
    stages = ", ".join(
        f"stage {index + 1}: {stage['devices'] - stage['control']} new and {stage['control']} control"
        for index, stage in enumerate(found["stages"])
    )
    devices = "device" if found["fits"] == 1 else "devices"
    lines = [f"{found['fits']} {devices} would take part ({stages})"]
    examples = {each["reason"]: each for each in reversed(found["rejected"])}
    lines += [
        f"{count} rejected: {reason} - such as {examples[reason]['device']}: {examples[reason]['message']}"
        for reason, count in sorted(found["by_reason"].items())
    ]
    return "\n".join(lines)


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
