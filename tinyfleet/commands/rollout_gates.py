"""``tinyfleet rollout explain`` and its kin: why a rollout is where it is, and what its gates decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit, say
from tinyfleet.table import table
from wire.errors import ExitCode, InputError, NotFoundError

Number = Annotated[int, typer.Argument(help="The rollout's number.")]
_MAX_RECORD_BYTES: Final = 256 * 1024 * 1024


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    for command in (explain, decisions, evidence, replay, policy):
        app.command()(command)


def explain(
    number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Say in plain words why a rollout is where it is."""
    with connect(server, token_file) as client:
        found = client.get(f"/rollouts/{number}/explain")
    emit(found, as_json, lambda: "\n".join(found["lines"]))


def decisions(
    number: Number, server: Server = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """List what the gates of a rollout decided."""
    with connect(server, token_file) as client:
        found = client.get(f"/rollouts/{number}/decisions")
    header = ["decision", "stage", "fail", "pass", "not yet"]
    emit(found, as_json, lambda: table(header, map(_row, found)))


def evidence(
    number: Number,
    decision: Annotated[int | None, typer.Option(help="Its number; else the newest.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file for it; else it is printed.")] = None,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Fetch a decision with every number that it was made from."""
    with connect(server, token_file) as client:
        known = client.get(f"/rollouts/{number}/decisions")
        if not known:
            raise NotFoundError("no_decision", f"rollout {number} has not decided anything yet", "wait")
        chosen = known[-1]["id"] if decision is None else decision
        found = client.get(f"/rollouts/{number}/decisions/{chosen}")
    if out is None:
        emit(found, True, str)
        return
    try:
        out.write_bytes(msgspec.json.encode(found))
    except OSError as error:
        raise InputError("unwritable", f"cannot write {out}: {error.strerror}", "check the path") from error
    say(f"decision {chosen} is in {out}: tinyfleet rollout replay {out}")


def replay(
    file: Annotated[Path, typer.Argument(help="Made by: tinyfleet rollout evidence N --out FILE")],
    as_json: Json = False,
) -> None:
    """Make a recorded decision again, without a server; exit 4 when the answer is another."""
    from fleet_server import gatekeeper

    try:
        with file.open("rb") as stream:
            record = msgspec.json.decode(stream.read(_MAX_RECORD_BYTES), type=gatekeeper.Record)
        again = gatekeeper.replay(record.gates, bytes(record.evidence))
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            "bad_record", f"{file} is no decision: {error}"[:300], "make one: tinyfleet rollout evidence"
        ) from error
    same = record.agrees(again)
    text = "\n".join([*(f"{each.gate}: {each.outcome}; {each.reason}" for each in again), _verdict(same)])
    emit({"same": same, "judgements": again}, as_json, lambda: text)
    if not same:
        raise typer.Exit(ExitCode.REFUSED)


def policy() -> None:
    """Print the JSON Schema of a rollout's policy."""
    from tinyfleet.policy_file import schema

    emit(schema(), True, str)


def _verdict(same: bool) -> str:
    return "the same as on record" if same else "NOT what is on record"


def _row(decision: dict[str, Any]) -> list[str]:
    by_outcome: dict[str, list[str]] = {"fail": [], "pass": [], "not_yet": []}
    for judgement in decision["judgements"]:
        by_outcome[judgement["outcome"]].append(judgement["gate"])
    gates = [", ".join(names) or "-" for names in by_outcome.values()]
    return [str(decision["id"]), str(decision["stage"] + 1), *gates]
