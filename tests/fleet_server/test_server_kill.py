"""The server process killed with SIGKILL in the middle of a rollout, again and again, and nothing is lost."""

import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet_server.broker import Mosquitto
from tests.fleet_server.fake_device import FakeDevice
from tinyfleet.client import Client
from tinyfleet.demo.settings import free_port
from wire.errors import FleetError
from wire.states import UpdateState
from wire.trust import load_root

DEVICES = 6


class Server:
    """``tinyfleet serve`` as a process that can be killed."""

    def __init__(self, folder: Path, keys: Path, broker: str) -> None:
        self.data, self.port = folder / "data", free_port(0)
        self._log = folder / "server.log"
        self._command = [
            *(sys.executable, "-m", "tinyfleet", "serve", "--data", str(self.data), "--trust", str(keys)),
            *("--port", str(self.port), "--broker", broker),
        ]

    def spawn(self) -> Client:
        """Start the process; the client is refused until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        token = self.data / "admin.token"
        self._client = Client(
            f"http://127.0.0.1:{self.port}", token.read_text().strip() if token.exists() else ""
        )
        return self._client

    def start(self) -> Client:
        """Start it and wait until it answers."""
        self.spawn()
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            token = self.data / "admin.token"
            self._client.close()
            self._client = Client(
                f"http://127.0.0.1:{self.port}", token.read_text().strip() if token.exists() else ""
            )
            try:
                self._client.get("/overview")
            except FleetError:
                time.sleep(0.02)
            else:
                return self._client

    def kill(self) -> None:
        self._client.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.mark.parametrize("seed", [1, 2])
def test_power_cut_of_the_server_loses_repeats_and_skips_no_device(
    tmp_path: Path, keys: Path, make_bundle, seed: int
) -> None:
    root = load_root((keys / "director-root.json").read_bytes())
    bundle = tmp_path / "bundle"
    artifact, files = make_bundle(1)
    for path, data in {
        "manifest.json": artifact.manifest.encode(),
        "signature.json": artifact.signature.encode(),
        **files,
    }.items():
        (bundle / path).parent.mkdir(parents=True, exist_ok=True)
        (bundle / path).write_bytes(data)
    told: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(tmp_path / "broker"))
        server = Server(tmp_path, keys, broker.url)
        client = server.start()
        stack.callback(server.kill)
        devices = [
            FakeDevice(broker.url, f"mcu-{i}", root, lambda: datetime.now(UTC)) for i in range(DEVICES)
        ]
        for device in devices:
            stack.callback(device.close)
        deadline = time.monotonic() + 60
        while sum(bool(d["board"]) for d in client.get("/devices")) < DEVICES:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        client.push(bundle)
        plan = {"model": "watch", "version": 1, "stages": [0.34, 0.67, 1.0], "soak_s": 0.2, "deadline_s": 60}
        number = client.post("/rollouts", plan)["id"]
        kills = 0
        while True:
            assert time.monotonic() < deadline, client.get(f"/rollouts/{number}")
            for device in devices:
                while not device.assignments.empty():
                    assignment = device.assignments.get()
                    told[device.name, assignment.attempt] += 1
                    device.report(assignment, UpdateState.CONFIRMED)
                    device.observe(assignment)
            # A different moment of the rollout each time: as soon as so many devices were told.
            if kills < 3 and len(told) >= (kills + seed) * DEVICES // 4:
                server.kill()
                client, kills = server.start(), kills + 1
            if client.get(f"/rollouts/{number}")["state"] == "finished":
                break
            time.sleep(0.01)
        shown = client.get(f"/rollouts/{number}")
        assert kills == 3
        assert shown["counts"] == {"succeeded": DEVICES}
        attempts = Counter(name for name, _ in told)
        assert attempts == Counter({d.name: 1 for d in devices}), (
            "one attempt a device, neither more nor less"
        )
