"""``tinyfleet serve``: the fleet server with its dashboard."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError

from fleet_server.app import create_app
from fleet_server.fleet import Fleet
from fleet_server.settings import Settings
from tinyfleet.output import say
from wire.broker import BrokerAddress
from wire.errors import InputError


def command(
    data: Annotated[Path | None, typer.Option(help="Folder for database, bundles and token.")] = None,
    trust: Annotated[Path | None, typer.Option(help="Folder made by 'tinyfleet trust init'.")] = None,
    host: Annotated[str | None, typer.Option(help="Loopback address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port.")] = None,
    broker: Annotated[
        str | None, typer.Option(help="URL of an external broker; without it one is started here.")
    ] = None,
    broker_port: Annotated[int | None, typer.Option(help="Port of the broker that is started here.")] = None,
    drift: Annotated[Path | None, typer.Option(help="TOML file with what counts as drift.")] = None,
    notify: Annotated[
        Path | None, typer.Option(help="TOML file with who is told of alerts (docs/alerts.md).")
    ] = None,
    silent_after_s: Annotated[
        float | None, typer.Option(help="A device that says nothing for so long is an alert; 0: never.")
    ] = None,
) -> None:
    """Run the fleet server with its dashboard."""
    given = {
        "data_dir": data, "trust_dir": trust, "host": host, "port": port, "broker_url": broker,
        "broker_port": broker_port, "drift_file": drift, "notify_file": notify,
        "silent_after_s": silent_after_s,
    }  # fmt: skip
    settings = _settings({name: value for name, value in given.items() if value is not None})
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("uvicorn.access", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # uvicorn raises the signal again after its own shutdown: then the parts are still to be closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    fleet = Fleet(settings).start()
    say(f"dashboard  http://{settings.host}:{settings.port}/")
    say(f"broker     {BrokerAddress.parse(fleet.broker.url).shown} ({fleet.broker.kind})")
    say(f"API token  in {fleet.token_file}")
    try:
        uvicorn.run(
            create_app(fleet), host=settings.host, port=settings.port, log_level="warning", access_log=False
        )
    finally:
        fleet.stop()


def _settings(given: dict[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        why = problem["msg"].removeprefix("Value error, ")
        raise InputError("bad_setting", f"{name}: {why}", "see: tinyfleet serve --help") from error
