"""SIGKILL at random moments of rollouts, also while the server starts: nothing lost, repeated or skipped."""

import os
import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet_server.broker import Mosquitto
from tests.fleet_server.fake_device import FakeDevice
from tests.fleet_server.test_server_kill import Server
from tinyfleet.client import Client
from wire.errors import FleetError
from wire.states import UpdateState
from wire.trust import load_root

#: ``make soak`` kills it a hundred times, in four minutes.
KILLS = 100 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 5
DEVICES = 12
VERSIONS = 40
#: Seconds from a start of the process to its end: it begins to work after about one and a half.
MOST_S = 4.0


class Crowd(threading.Thread):
    """Devices that do what they are told, say some of it twice, and remember what they were told."""

    def __init__(self, devices: list[FakeDevice], rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.told: Counter[tuple[str, str]] = Counter()
        """By device and attempt."""
        self.windows: Counter[str] = Counter()
        self._devices, self._rng = devices, rng
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.01):
            for device in self._devices:
                while not device.assignments.empty():
                    self._answer(device)

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _answer(self, device: FakeDevice) -> None:
        wish = device.assignments.get()
        self.told[device.name, wish.attempt] += 1
        same = device.running == wish.bundle
        for _ in range(1 + (self._rng.random() < 0.3)):
            device.report(wish, UpdateState.ALREADY_INSTALLED if same else UpdateState.CONFIRMED)
            device.running = wish.bundle
        device.report(wish, UpdateState.ALREADY_INSTALLED if same else UpdateState.CONFIRMED)
        device.observe(wish)
        self.windows[device.name] += 1


def _push(client: Client, make_bundle, folder: Path) -> None:
    for version in range(1, VERSIONS + 1):
        artifact, files = make_bundle(version)
        bundle = folder / f"v{version}"
        texts = {"manifest.json": artifact.manifest.encode(), "signature.json": artifact.signature.encode()}
        for path, data in {**texts, **files}.items():
            (bundle / path).parent.mkdir(parents=True, exist_ok=True)
            (bundle / path).write_bytes(data)
        client.push(bundle)


def _go_on(client: Client, rng: random.Random) -> None:
    """Begin the next rollout, or undo the last one, where there is nothing to do."""
    try:
        known = client.get("/rollouts")
        if known and known[0]["state"] in ("running", "rolling_back"):
            return
        if known and known[0]["state"] == "finished" and rng.random() < 0.3:
            client.post(f"/rollouts/{known[0]['id']}/rollback")
            return
        policy = {"stages": [0.5, 1.0], "control": 0.34, "soak_s": 0.2, "deadline_s": 120, "dynamic": False}
        version = 1 + len(known) % VERSIONS
        client.post("/rollouts", {"model": "watch", "version": version, "policy": policy})
    except FleetError:
        pass  # it does not listen yet


def _state(database: Path) -> str:
    """Of the newest rollout, as the disk has it."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        row = db.execute(
            """SELECT json_extract(body, '$.state'), json_extract(body, '$.current') FROM rollouts
               ORDER BY id DESC LIMIT 1"""
        ).fetchone()
    return "none" if row is None else f"{row[0]}, stage {row[1] + 1}"


def _check(database: Path, crowd: Crowd) -> None:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT device, attempt, rollout, restores, state FROM assignments").fetchall()
        members = db.execute("SELECT rollout, device FROM rollout_devices").fetchall()
        states = dict(db.execute("SELECT id, json_extract(body, '$.state') FROM rollouts").fetchall())
        stored = Counter(row[0] for row in db.execute("SELECT device FROM telemetry"))
    per_rollout = Counter((rollout, device) for device, _, rollout, _, _ in rows if rollout is not None)
    assert set(states.values()) <= {"finished", "stopped"}
    assert per_rollout == Counter(dict.fromkeys(members, 1)), "one attempt a device and rollout"
    back = Counter((restores, device) for device, _, _, restores, _ in rows if restores is not None)
    assert not back or set(back.values()) == {1}, "given back once"
    assert {(device, attempt) for device, attempt, *_ in rows} == set(crowd.told), "told what is on record"
    assert {state for *_, state in rows} <= {"succeeded", "confirmed", "already_installed"}
    assert stored == crowd.windows, "every window is stored once"


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_power_cut_of_the_server_at_random_moments_loses_repeats_and_skips_no_device(
    tmp_path: Path, keys: Path, make_bundle, kills: int
) -> None:
    rng = random.Random(20_261_125)
    root = load_root((keys / "director-root.json").read_bytes())
    moments: Counter[str] = Counter()
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
        crowd = Crowd(devices, random.Random(1))
        crowd.start()
        stack.callback(crowd.stop)
        _push(client, make_bundle, tmp_path / "bundles")
        database = server.data / "fleet.db"
        for _ in range(KILLS):
            # The one wait for a time and not for a condition: the moment is what is random.
            end = time.monotonic() + rng.uniform(0, MOST_S)
            while (left := end - time.monotonic()) > 0:
                _go_on(client, rng)
                time.sleep(min(0.05, left))
            moments[_state(database)] += 1
            server.kill()
            client = server.spawn()
        server.kill()
        client = server.start()
        deadline = time.monotonic() + 90
        while any(r["state"] not in ("finished", "stopped") for r in client.get("/rollouts")):
            assert time.monotonic() < deadline, client.get("/rollouts")
            time.sleep(0.05)
        while any(not device.assignments.empty() for device in devices):
            time.sleep(0.05)
        crowd.stop()
        until = time.monotonic() + 30
        while sum(crowd.windows.values()) > _stored(database):
            assert time.monotonic() < until
            time.sleep(0.05)
        print(f"{KILLS} kills: {dict(moments)}; {len(client.get('/rollouts'))} rollouts")
        _check(database, crowd)


def _stored(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        return int(db.execute("SELECT count(*) FROM telemetry").fetchone()[0])
