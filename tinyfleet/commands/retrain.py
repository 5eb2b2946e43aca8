"""``tinyfleet retrain``: from a drift alert to a rollout of the next version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.keyfile import DEFAULT_DAYS, expiry
from tinyfleet.output import Json, emit, say
from tinyfleet.trustfiles import signing
from wire.errors import InputError


def command(
    from_alert: Annotated[
        int | None, typer.Option(min=1, help="A drift alert: its devices are asked for samples.")
    ] = None,
    request: Annotated[
        int | None, typer.Option(min=1, help="A request whose samples are labelled, instead of asking.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder for run and bundle. Default: retrain-N.")] = None,
    per_device: Annotated[int, typer.Option(min=1, max=256, help="Samples to ask each device for.")] = 32,
    wait_s: Annotated[float, typer.Option(min=0, help="How long to wait for samples.")] = 60.0,
    max_old_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Most that accuracy on the old held-out data may fall.")
    ] = 0.03,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most passes. Default: as the incumbent's.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Release key (PEM) that signs.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Rollout policy (TOML).")] = None,
    rollout: Annotated[bool, typer.Option(help="Push the new version and roll it out.")] = True,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Train the next version on the old data and samples from the field, judge it on both, roll it out."""
    from tinyfleet import policy_file
    from tinyfleet.retrain import gathering, retraining

    if (from_alert is None) == (request is None):
        raise InputError(
            "bad_option", "either --from-alert or --request is needed", "see: tinyfleet alert list"
        )
    how = {} if policy is None else policy_file.read(policy)
    signer, origin = signing(key)
    with connect(server, token_file) as client:
        if request is None and from_alert is not None:
            alert = from_alert
            request = gathering.ask(client, alert, per_device, wait_s, say)
        assert request is not None  # noqa: S101 - for the type checker
        asked = client.get(f"/samples/requests/{request}")
        gathered = gathering.fetch(client, request)
        held = retraining.incumbent(client, gathered.digest)
        folder = work or Path(f"retrain-{request}")
        made = retraining.retrain(
            held,
            gathered,
            folder,
            signer,
            expiry(DEFAULT_DAYS),
            fleet=server or "the fleet server",
            alert=asked["alert"],
            max_old_drop=max_old_drop,
            epochs=epochs,
            say=say,
        )
        if key is None:
            say(f"signed by {origin}")
        result: dict[str, Any] = {"retrained": made, "rollout": None}
        if rollout:
            client.push(Path(made.bundle))
            body = {"model": made.model, "version": made.version, "policy": how}
            result["rollout"] = client.post("/rollouts", body)["id"]
    emit(result, as_json, lambda: _told(made, result["rollout"]))


def _told(made: Any, rollout: int | None) -> str:
    then = f"rollout {rollout}: tinyfleet rollout watch {rollout}" if rollout else f"bundle {made.bundle}"
    return f"{made.model} v{made.version} from {made.samples} field samples of request {made.request}; {then}"
