"""The demo's story: v1 to all, v2 in stages, a broken v3, a worse v4, and then the world changes.

In the scenario ``rollouts`` a v5 comes while all watches slip, and is not blamed for it. In ``drift`` some
watches are put back otherwise, and v5 is what is learned from that: see tinyfleet.demo.loop.
"""

from __future__ import annotations

import signal
import time
from typing import Any

from tinyfleet.client import Client
from tinyfleet.demo import fleet, rerun
from tinyfleet.demo.children import Children
from tinyfleet.demo.loop import live_through
from tinyfleet.demo.result import DemoResult, collect
from tinyfleet.demo.rolling import CAREFUL, compared, let_devices_report, roll_out
from tinyfleet.demo.screen import Screen
from tinyfleet.demo.settings import DemoSettings
from tinyfleet.demo.variants import make_again, make_broken


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
    roll_out(demo, children, screen, client, 1, {"stages": [1.0]})

    screen.title("3. A better model, from all train subjects, in stages")
    _make_version(demo, children, screen, 2, ())
    roll_out(demo, children, screen, client, 2, {"stages": CAREFUL})

    screen.title("4. A broken model: signed, well-formed, and wrong")
    with screen.step("damage v2's weights and sign that as v3"):
        make_broken(demo.bundle(2), demo.bundle(3), 3, demo.trust / "release.key", demo.seed)
    roll_out(demo, children, screen, client, 3, {"stages": CAREFUL})

    screen.title("5. A worse model: it passes its self-test, for it is what it was meant to be")
    _make_version(demo, children, screen, 4, ("--subjects", 1, "--epochs", 1))
    roll_out(demo, children, screen, client, 4, compared(demo))
    loop = None
    if demo.scenario == "drift":
        loop = live_through(demo, children, screen, client)
    else:
        _slip(demo, children, screen, client)
    let_devices_report(demo, children, client)

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
    return collect(client, checks, windows, f"{demo.url}/", time.monotonic() - began, loop)


def _slip(demo: DemoSettings, children: Children, screen: Screen, client: Client) -> None:
    screen.title("6. A change of the world: every watch slips on its wrist, whatever it runs")
    with screen.step("sign v2 again as v5"):
        make_again(demo.bundle(2), demo.bundle(5), 5, demo.trust / "release.key")
    roll_out(demo, children, screen, client, 5, compared(demo), _Slip(children, screen))


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


def _verdict(check: rerun.Comparison) -> str:
    how = "equal" if check.equal else f"{check.differing_windows} windows differ"
    return f"reported {check.reported.accuracy:.4f}, re-run {check.recomputed.accuracy:.4f} ({how})"
