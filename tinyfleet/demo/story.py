"""The demo's story: v1 to all, v2 in stages, a broken v3, a worse v4, and a v5 while the world changes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, Final

from tinyfleet.client import Client
from tinyfleet.demo import fleet, rerun
from tinyfleet.demo.children import Children
from tinyfleet.demo.result import DemoResult, collect
from tinyfleet.demo.screen import Screen
from tinyfleet.demo.settings import DemoSettings
from tinyfleet.demo.variants import make_again, make_broken
from wire.errors import LinkError

_ROLLOUT_S: Final = 180.0
#: Shares of the fleet that a careful rollout reaches, one after the other.
_CAREFUL: Final = (0.1, 0.5, 1.0)
Seen = Callable[[dict[str, Any]], None]


def tell(demo: DemoSettings, children: Children, screen: Screen) -> DemoResult:
    """Live through the story and return what came of it."""
    began = time.monotonic()
    screen.title("1. A first model, from 3 subjects")
    children.call("trust", "trust", "init", demo.trust)
    _make_version(demo, children, screen, 1, ("--subjects", 3))

    screen.title("2. A fleet that runs it")
    with screen.step("start server and broker") as add:
        client, broker = fleet.start_server(children, demo)
        add(f"dashboard {demo.url}/")
    with screen.step(f"start {demo.agents} Linux agents and {demo.mcus} simulated microcontrollers"):
        fleet.start_devices(children, demo, broker, demo.run(1) / "eval.npz")
        fleet.wait_for_devices(children, client, demo.agents + demo.mcus)
    _roll_out(demo, children, screen, client, 1, {"stages": [1.0]})

    screen.title("3. A better model, from all train subjects, in stages")
    _make_version(demo, children, screen, 2, ())
    _roll_out(demo, children, screen, client, 2, {"stages": _CAREFUL})

    screen.title("4. A broken model: signed, well-formed, and wrong")
    with screen.step("damage v2's weights and sign that as v3"):
        make_broken(demo.bundle(2), demo.bundle(3), 3, demo.trust / "release.key", demo.seed)
    _roll_out(demo, children, screen, client, 3, {"stages": _CAREFUL})

    screen.title("5. A worse model: it passes its self-test, for it is what it was meant to be")
    _make_version(demo, children, screen, 4, ("--subjects", 1, "--epochs", 1))
    _roll_out(demo, children, screen, client, 4, _compared(demo))

    screen.title("6. A change of the world: every watch slips on its wrist, whatever it runs")
    with screen.step("sign v2 again as v5"):
        make_again(demo.bundle(2), demo.bundle(5), 5, demo.trust / "release.key")
    _roll_out(demo, children, screen, client, 5, _compared(demo), _Slip(children, screen))
    _let_devices_report(demo, children, client)

    screen.title("7. Are the reports true?")
    with screen.step("run the shipped files again on every reported window") as add:
        windows = rerun.fetch(client)
        checks = {
            str(version): rerun.compare(
                demo.bundle(version),
                demo.run(1) / "eval.npz",
                [w for w in windows if w.model.version == version],
            )
            for version in (1, 2, 4, 5)
        }
        add(", ".join(f"v{v}: {_verdict(check)}" for v, check in checks.items()))
    return collect(client, checks, windows, f"{demo.url}/", time.monotonic() - began)


class _Slip:
    """Lets the sensors drift, once, while the first stage of a rollout is being watched."""

    def __init__(self, children: Children, screen: Screen) -> None:
        self._children = children
        self._screen = screen
        self._slipped = False

    def __call__(self, rollout: dict[str, Any]) -> None:
        if not self._slipped and rollout["stages"][0]["state"] == "soaking":
            self._slipped = True
            self._children.signal("simulator", signal.SIGUSR1)
            self._screen.line("the watches slip")


def _compared(demo: DemoSettings) -> dict[str, Any]:
    """A policy that has enough devices to compare, in a fleet of two dozen.

    There are labels, so that nothing has to be concluded from confidence and class shares.
    """
    gates = {"confidence": None, "classes": None}
    return {"stages": (0.5, 1.0), "control": demo.control, "soak_s": demo.watch_s, "gates": gates}


def _make_version(
    demo: DemoSettings, children: Children, screen: Screen, version: int, options: tuple[object, ...]
) -> None:
    with screen.step(f"train v{version}") as add:
        made = children.call(
            f"train-v{version}", "train", "watch", "--out", demo.run(version), "--seed", demo.seed, *options
        )
        add(f"accuracy {made['report']['metrics']['test_accuracy']:.3f} on subjects it never saw")
    with screen.step(f"convert v{version} to int8 and sign it") as add:
        made = children.call(
            f"convert-v{version}", "convert", demo.run(version), "--out", demo.bundle(version),
            "--model-version", version, "--key", demo.trust / "release.key",
        )  # fmt: skip
        add(f"bundle {made['digest'][:12]}")


def _roll_out(
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
            ended = _until_ended(children, client, number, show, seen)
        add(f"{ended['state']}: {ended['reason']}")


def _until_ended(children: Children, client: Client, number: int, show: Seen, seen: Seen) -> dict[str, Any]:
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


def _let_devices_report(demo: DemoSettings, children: Children, client: Client) -> None:
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


def _verdict(check: rerun.Comparison) -> str:
    how = "equal" if check.equal else f"{check.differing_windows} windows differ"
    return f"reported {check.reported.accuracy:.4f}, re-run {check.recomputed.accuracy:.4f} ({how})"
