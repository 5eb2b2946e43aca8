"""The demo's fleet: the server, two Linux agents as processes, and the simulated microcontrollers."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any, Final

from tinyfleet.client import Client
from tinyfleet.demo.children import Children
from tinyfleet.demo.settings import DemoSettings, free_port
from wire.errors import AccessError, InputError, LinkError

_START_S: Final = 60.0
_BOARDS: Final = {"x86_64": "linux-pc", "aarch64": "rpi-4"}
_AGENT_TOML: Final = """\
device = "{name}"
broker = "{broker}"
board = "{board}"
state_dir = "{state}"

[trust]
image_root = "{trust}/image-root.json"
director_root = "{trust}/director-root.json"

[sensor]
kind = "replay"
file = "{data}"
rate_hz = {rate_hz}
start = {start}
"""
_DRIFT_TOML: Final = """\
look_s = {look_s}
min_inferences = 50
baseline = 8
"""


def start_server(children: Children, demo: DemoSettings) -> tuple[Client, str]:
    """Start the server; returns a client with its admin token, and the broker's URL."""
    data = demo.folder / "server"
    broker_port = free_port(1883)
    drift = demo.folder / "drift.toml"
    drift.write_text(_DRIFT_TOML.format(look_s=demo.look_s), "utf-8")
    children.start(
        "server", "serve", "--data", data, "--trust", demo.trust, "--port", demo.port,
        "--broker-port", broker_port, *(("--drift", drift) if demo.scenario == "drift" else ()),
    )  # fmt: skip
    deadline = time.monotonic() + _START_S
    while True:
        children.check()
        try:
            token = (data / "admin.token").read_text("utf-8").strip()
            client = Client(demo.url, token)
            client.get("/overview")
        except (OSError, LinkError, AccessError):
            if time.monotonic() > deadline:
                raise LinkError("no_server", "the server did not start", f"see {demo.folder}/logs") from None
            time.sleep(0.1)
        else:
            return client, f"mqtt://127.0.0.1:{broker_port}"


def start_devices(children: Children, demo: DemoSettings, broker: str, data: Path) -> None:
    """Start the agents and the simulator, all on the held-out subjects' windows in ``data``."""
    board = _BOARDS.get(platform.machine())
    if board is None:
        raise InputError(
            "no_board", f"no board in the catalogue is a {platform.machine()}", "add a boards/*.toml"
        )
    for index in range(demo.agents):
        name = f"linux-{index + 1}"
        config = demo.folder / f"{name}.toml"
        config.write_text(
            _AGENT_TOML.format(
                name=name,
                broker=broker,
                board=board,
                state=demo.folder / name,
                trust=demo.trust,
                data=data,
                rate_hz=demo.rate_hz,
                start=index * 500,
            ),
            "utf-8",
        )
        children.start(name, "agent", "run", "--config", config)
    children.start(
        "simulator", "sim", "--devices", demo.mcus, "--broker", broker, "--data", data, "--trust", demo.trust,
        "--state", demo.folder / "mcus", "--rate-hz", demo.rate_hz, "--seed", demo.seed,
        "--sensor-at-signal", *_sensors(demo),
    )  # fmt: skip


def _sensors(demo: DemoSettings) -> tuple[object, ...]:
    """In ``drift`` each device has one wearer and keeps samples, and only some sensors change."""
    if demo.scenario != "drift":
        return ("--sensor-rotate-deg", demo.drift_deg)
    return (
        "--sensor-remount-deg", demo.remount_deg, "--sensor-share", demo.remount_share,
        "--wearers", "--samples", demo.samples,
    )  # fmt: skip


def wait_for_devices(children: Children, client: Client, count: int) -> list[dict[str, Any]]:
    """All devices, once they have reported what they are."""
    deadline = time.monotonic() + _START_S
    while True:
        children.check()
        known = [d for d in client.get("/devices", limit=1000) if d["board"] and d["presence"] == "online"]
        if len(known) == count:
            return known
        if time.monotonic() > deadline:
            raise LinkError("no_devices", f"only {len(known)} of {count} devices reported", "see the logs")
        time.sleep(0.1)
