"""Rolling a version out in the demo, and watching it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from tinyfleet.client import Client
from tinyfleet.demo.children import Children
from tinyfleet.demo.screen import Screen
from tinyfleet.demo.settings import DemoSettings
from wire.errors import LinkError

_ROLLOUT_S: Final = 180.0
#: Shares of the fleet that a careful rollout reaches, one after the other.
CAREFUL: Final = (0.1, 0.5, 1.0)
Seen = Callable[[dict[str, Any]], None]


def compared(demo: DemoSettings) -> dict[str, Any]:
    """A policy that has enough devices to compare, in a fleet of two dozen.

    There are labels, so that nothing has to be concluded from confidence and class shares.
    """
    gates = {"confidence": None, "classes": None}
    return {"stages": (0.5, 1.0), "control": demo.control, "soak_s": demo.watch_s, "gates": gates}


def roll_out(
    demo: DemoSettings,
    children: Children,
    screen: Screen,
    client: Client,
    version: int,
    policy: dict[str, Any],
    seen: Seen = lambda _rollout: None,
) -> None:
    """``seen`` gets every state of the rollout."""
    client.push(demo.bundle(version))
    with screen.step(f"roll v{version} out") as add:
        common = {"soak_s": demo.soak_s, "deadline_s": demo.deadline_s}
        device = {"report_every_ms": round(demo.report_every_s * 1000)}
        number = client.post(
            "/rollouts",
            {"model": "watch", "version": version, "policy": {**common, **policy, "device": device}},
        )["id"]
        with screen.rollout(f"v{version}") as show:
            ended = until_ended(children, client, number, show, seen)
        add(f"{ended['state']}: {ended['reason']}")


def until_ended(children: Children, client: Client, number: int, show: Seen, seen: Seen) -> dict[str, Any]:
    deadline = time.monotonic() + _ROLLOUT_S
    while True:
        children.check()
        rollout: dict[str, Any] = client.get(f"/rollouts/{number}")
        show(rollout)
        seen(rollout)
        if rollout["state"] in ("finished", "stopped"):
            return rollout
        if time.monotonic() > deadline:
            raise LinkError(
                "rollout_stuck", f"rollout {number} does not end", "see the dashboard and the logs"
            )
        time.sleep(0.25)


def let_devices_report(demo: DemoSettings, children: Children, client: Client) -> None:
    """Wait until every device has reported once more, with the model that it has now."""
    since = time.time()
    deadline = time.monotonic() + 20 * demo.report_every_s
    names = {device["device"] for device in client.get("/devices", limit=1000)}
    after = 0
    while names and time.monotonic() < deadline:
        children.check()
        page = client.get("/telemetry", after=after, limit=1000)
        names -= {row["window"]["device"] for row in page if row["received_at"] > since}
        after = page[-1]["id"] if page else after
        if not page:
            time.sleep(0.25)
