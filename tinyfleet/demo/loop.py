"""The scenario ``drift``: sensors are put back otherwise, an alert says so, and the fleet learns from it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tinyfleet.client import Client
from tinyfleet.demo.children import Children
from tinyfleet.demo.rolling import compared, until_ended
from tinyfleet.demo.screen import Screen
from tinyfleet.demo.settings import DemoSettings
from wire.errors import LinkError

_KEY: Final = "watch/inputs"
_PATIENCE_S: Final = 240.0
#: Looks without another device named, after which nobody waits for more.
_QUIET_LOOKS: Final = 2
_VERSION: Final = 5


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, once around."""

    remounted_at: float
    """Unix time, as the others."""
    alerted_at: float
    rolled_out_at: float
    alert: dict[str, Any]
    retrained: dict[str, Any]
    """What ``tinyfleet retrain --json`` printed."""
    device_lineage: dict[str, Any]
    sample_lineage: dict[str, Any]


def live_through(demo: DemoSettings, children: Children, screen: Screen, client: Client) -> Loop:
    """All of it; LinkError when something that must happen does not."""
    screen.title("6. A change of the world: two sensors in five are put back turned")
    with screen.step("learn how every device usually is"):
        _wait(children, lambda: _watched(client) == demo.mcus + demo.agents, "the drift watch does not learn")
    remounted_at = time.time()
    children.signal("simulator", signal.SIGUSR1)
    screen.line(
        f"{demo.remount_share:.0%} of the microcontrollers are turned by {demo.remount_deg:.0f} degrees"
    )
    with screen.step("see it, without labels") as add:
        _wait(children, lambda: _alert(client) is not None, "no drift alert was raised")
        alerted_at = time.time()
        alert = _settled(demo, children, client)
        add(f"alert {alert['id']} after {alerted_at - remounted_at:.0f} s: {alert['message']}")
    with screen.step("ask for samples, train v5, judge it on old and field data") as add:
        made = _retrain(demo, children, alert["id"])
        retrained = made["retrained"]
        add("; ".join(f"{what} {_told(retrained[what])}" for what in ("old", "field")))
    with screen.step("roll v5 out") as add, screen.rollout("v5") as show:
        ended = until_ended(children, client, made["rollout"], show, lambda _rollout: None)
        add(f"{ended['state']}: {ended['reason']}")
    rolled_out_at = time.time()
    time_to_tell = rolled_out_at + 2 * demo.look_s
    _wait(children, lambda: time.time() > time_to_tell, "time stands still")
    sample = client.get(f"/samples/requests/{retrained['request']}/windows", limit=1)[0]["id"]
    return Loop(
        remounted_at=remounted_at,
        alerted_at=alerted_at,
        rolled_out_at=rolled_out_at,
        alert=client.get(f"/alerts/{alert['id']}"),
        retrained=retrained,
        device_lineage=client.get(f"/lineage/devices/{alert['devices'][0]}"),
        sample_lineage=client.get(f"/lineage/samples/{sample}"),
    )


def _watched(client: Client) -> int:
    return sum(row["watched"] for row in client.get("/drift") if row["kind"] == "inputs")


def _alert(client: Client) -> dict[str, Any] | None:
    found = [each for each in client.get("/alerts", state="open") if each["key"] == _KEY]
    return found[0] if found and found[0]["kind"] == "drift" else None


def _settled(demo: DemoSettings, children: Children, client: Client) -> dict[str, Any]:
    """The alert, once no more devices have been added to it for some looks."""
    named, since = 0, time.monotonic()
    while time.monotonic() - since < _QUIET_LOOKS * demo.look_s:
        children.check()
        alert = _alert(client)
        if alert is not None and alert["device_count"] > named:
            named, since = alert["device_count"], time.monotonic()
        time.sleep(0.5)
    assert alert is not None  # noqa: S101 - nobody resolves it
    return alert


def _retrain(demo: DemoSettings, children: Children, alert: int) -> dict[str, Any]:
    device = {"report_every_ms": round(demo.report_every_s * 1000)}
    policy = {"deadline_s": demo.deadline_s, **compared(demo), "device": device}
    file = demo.folder / "retrain.toml"
    file.write_text(_toml(policy), "utf-8")
    made: dict[str, Any] = children.call(
        "retrain", "retrain", "--from-alert", alert, "--work", demo.folder / "retrained",
        "--per-device", demo.samples, "--max-old-drop", demo.max_old_drop,
        "--key", demo.trust / "release.key", "--policy", file,
        "--server", demo.url, "--token-file", demo.folder / "server" / "admin.token",
    )  # fmt: skip
    return made


def _toml(policy: dict[str, Any]) -> str:
    """Plain keys first, then the tables."""
    plain = [f"{key} = {_value(value)}" for key, value in policy.items() if not isinstance(value, dict)]
    tables = [
        "\n".join([f"[{key}]", *(f"{name} = {_value(each)}" for name, each in value.items())])
        for key, value in policy.items()
        if isinstance(value, dict)
    ]
    return "\n\n".join(["\n".join(plain), *tables]) + "\n"


def _value(value: Any) -> str:
    # TOML has no null; a policy's false switches a gate off.
    return "false" if value is None else msgspec.json.encode(value).decode()


def _told(comparison: dict[str, Any]) -> str:
    return f"{comparison['incumbent']:.3f} -> {comparison['candidate']:.3f}"


def _wait(children: Children, done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not done():
        children.check()
        if time.monotonic() > deadline:
            raise LinkError("no_drift", what, "see the dashboard and the logs")
        time.sleep(0.25)
