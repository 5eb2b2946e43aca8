"""``tinyfleet alert`` beside a real server."""

import json
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from fleet_server import alerts
from fleet_server.fleet import Fleet
from fleet_server.notify import deliveries
from fleet_server.notify.routing import Routing
from tests.fleet_server.notify.receivers import ALERT
from tinyfleet import cli

NOW = 1_700_000_000.0


@pytest.fixture
def run(client: httpx.Client, fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    """Run one command; its output, after which it has ended well."""
    monkeypatch.setenv("TINYFLEET_URL", str(client.base_url))
    monkeypatch.setenv("TINYFLEET_TOKEN", Path(fleet.token_file).read_text().strip())

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli.build("alert"), ["alert", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_an_alert_is_listed_shown_acknowledged_and_resolved(run, fleet: Fleet) -> None:
    many = replace(ALERT, devices=tuple(f"d{i:02}" for i in range(20)), advice="retrain from NUMBER")
    number = str(fleet.store.write(lambda db: alerts.raise_alert(db, NOW, many)))
    fleet.store.write(lambda db: deliveries.take_in(db, Routing(name="ops"), "", NOW))
    (row,) = json.loads(run("list", "--json", "--state", "open", "--kind", "drift"))
    assert (row["id"], row["device_count"]) == (int(number), 20)
    assert "two devices drift" in run("list")
    shown = run("show", number)
    for words in (
        "d11 and 8 more",
        "changed  x moved",
        f"to do    retrain from {number}",
        "opened: two devices drift (d00, d01, d02, d03, d04 and 15 more)",
        "ops      opened",
    ):
        assert words in shown
    assert "is acknowledged" in run("ack", number, "--note", "on it")
    assert json.loads(run("resolve", number, "--json"))["state"] == "resolved"
    assert "resolved by admin" in run("show", number)
    assert json.loads(run("list", "--state", "open", "--json")) == []


def test_channels_tell_what_waits_and_why(run, fleet: Fleet) -> None:
    assert json.loads(run("channels", "--json")) == []
    routing = Routing(name="ops")
    fleet.store.write(lambda db: alerts.raise_alert(db, NOW, ALERT))
    fleet.store.write(lambda db: deliveries.take_in(db, routing, "", NOW))
    fleet.store.write(lambda db: deliveries.failed(db, routing, [1], "answered 503", NOW))
    (row,) = json.loads(run("channels", "--json"))
    assert (row["waiting"], row["delivered"], row["detail"]) == (1, 0, "answered 503")
    assert "answered 503" in run("channels")
