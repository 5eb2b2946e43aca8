"""SIGKILL at random moments of rollouts, also while the server starts: nothing lost, repeated or skipped."""

import os
import random
import secrets
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet_server.broker import Mosquitto
from tests.fleet_server import disk
from tests.fleet_server.crowd import Crowd
from tests.fleet_server.fake_device import FakeDevice
from tests.fleet_server.test_server_kill import Server
from tinyfleet.client import Client
from wire.errors import FleetError
from wire.trust import load_root

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
#: ``make soak`` kills it a hundred times, at other moments each time.
KILLS = 100 if SOAK else 6
DEVICES = 30
VERSIONS = 60
#: Seconds from a start of the process to its end: it begins to work after one or two.
MOST_S = 4.0
POLICY = {
    "stages": [0.3, 0.6, 1.0],
    "control": 0.34,
    "soak_s": 0.5,
    "deadline_s": 120,
    "dynamic": False,
    "device": {"report_every_ms": 500},
}


class Operator:
    """Begins one rollout after the other, and undoes every second: in the middle, or when all is over."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._undone = 0
        self._patience = 0
        self.answers = False
        """Whether the server did when last asked."""

    def go_on(self, client: Client) -> None:
        try:
            self._go_on(client, client.get("/rollouts"))
        except FleetError:
            self.answers = False  # it does not listen yet
        else:
            self.answers = True

    def undo(self, client: Client) -> None:
        """The newest one, unless it was undone: it has ended."""
        newest = client.get("/rollouts")[0]
        if newest["id"] > max(1, self._undone):
            client.post(f"/rollouts/{newest['id']}/rollback")

    def _go_on(self, client: Client, known: list[dict]) -> None:
        newest = known[0] if known else {"id": 0, "state": "finished"}
        self._patience -= 1
        over = newest["state"] in ("finished", "stopped")
        if newest["id"] % 2 == 0 and newest["id"] > self._undone and (over or self._patience < 0):
            client.post(f"/rollouts/{newest['id']}/rollback")
            self._undone = newest["id"]
        elif over:
            version = 1 + len(known) % VERSIONS
            client.post("/rollouts", {"model": "watch", "version": version, "policy": POLICY})
            self._patience = self._rng.randrange(100)


def _push(client: Client, make_bundle, folder: Path) -> None:
    for version in range(1, VERSIONS + 1):
        artifact, files = make_bundle(version)
        bundle = folder / f"v{version}"
        texts = {"manifest.json": artifact.manifest.encode(), "signature.json": artifact.signature.encode()}
        for path, data in {**texts, **files}.items():
            (bundle / path).parent.mkdir(parents=True, exist_ok=True)
            (bundle / path).write_bytes(data)
        client.push(bundle)


def _live(client: Client, operator: Operator, seconds: float) -> None:
    """The one wait for a time and not for a condition: the moment of the kill is what is random."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        operator.go_on(client)
        time.sleep(min(0.05, left))


def _settle(client: Client, crowd: Crowd) -> None:
    """Until no rollout goes on and no device has anything to do."""
    deadline = time.monotonic() + 90
    while not crowd.idle or any(r["state"] not in ("finished", "stopped") for r in client.get("/rollouts")):
        assert time.monotonic() < deadline, client.get("/rollouts")
        assert crowd.is_alive(), crowd.error
        time.sleep(0.05)


def _stored(database: Path, crowd: Crowd) -> None:
    """Until the broker has handed over what it acknowledged."""
    deadline = time.monotonic() + 30
    while True:
        with disk.disk(database) as db:
            (windows,) = db.execute("SELECT count(*) FROM telemetry").fetchone()
        if windows >= len(crowd.windows):
            return
        assert time.monotonic() < deadline, f"{windows} of {len(crowd.windows)} windows"
        time.sleep(0.1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_power_cuts_of_the_server_at_random_moments_lose_repeat_and_skip_nothing(
    tmp_path: Path, keys: Path, make_bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("TINYFLEET_KILL_SEED", secrets.randbelow(2**32) if SOAK else 2))
    print(f"TINYFLEET_KILL_SEED={seed}")
    monkeypatch.setenv("TINYFLEET_TICK_S", "0.1")
    rng, operator = random.Random(seed), Operator(random.Random(seed + 1))
    root = load_root((keys / "director-root.json").read_bytes())
    moments: Counter[str] = Counter()
    phases: Counter[str] = Counter()
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(tmp_path / "broker"))
        server = Server(tmp_path, keys, broker.url)
        client = server.start()
        stack.callback(server.kill)
        devices = [
            FakeDevice(broker.url, f"mcu-{index:02}", root, lambda: datetime.now(UTC))
            for index in range(DEVICES)
        ]
        for device in devices:
            stack.callback(device.close)
        _push(client, make_bundle, tmp_path / "bundles")
        database = server.data / "fleet.db"
        crowd = Crowd(devices, random.Random(seed + 2))
        crowd.start()
        operator.go_on(client)
        _settle(client, crowd)  # From here on there is a version to compare with, and to go back to.
        for _ in range(KILLS):
            operator.answers = False
            _live(client, operator, rng.uniform(0, MOST_S))
            server.kill()
            with disk.disk(database) as db:
                moments[disk.moment(db)] += 1
                phases["at work" if operator.answers else "starting"] += 1
                phases["wishes committed, not yet noted as published"] += disk.unpublished(db)
            client = server.spawn()
        server.kill()
        client = server.start()
        _settle(client, crowd)
        operator.undo(client)
        server.kill()
        client = server.start()
        _settle(client, crowd)
        crowd.stop()
        _stored(database, crowd)
        with disk.disk(database) as db:
            disk.check_attempts(db, crowd)
            given_back = disk.check_undone(db)
            disk.check_running(db, {device.name: device.running.digest for device in devices})
            assert given_back, "nothing was undone"
            inferences = disk.check_windows(db, crowd)
            rollouts = db.execute(
                "SELECT json_extract(body, '$.undone'), count(*) FROM rollouts GROUP BY 1"
            ).fetchall()
    print(f"{KILLS} kills: {dict(moments)}; {dict(phases)}")
    print(f"rollouts by undone: {dict(rollouts)}, {given_back} devices given the former version back")
    print(f"{len(crowd.windows)} windows acknowledged; {inferences} inferences in the gates' sums")
