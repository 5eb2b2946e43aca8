"""The running server over a real broker: rollouts from publish to end, and what a kill leaves behind."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from fleet_server import counters, queries, reports, rollout_driver
from fleet_server.fleet import Fleet
from fleet_server.rollout_policy import Policy
from fleet_server.settings import Settings
from tests.fleet_server.fake_device import BOOT, FakeDevice
from wire import topics
from wire.errors import InputError
from wire.messages import Status
from wire.states import Presence, Reason, UpdateState
from wire.trust import load_root

POLICY = Policy(stages=(0.25, 1.0), max_failed=0.1, deadline_s=60, soak_s=0)


def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Wait for a condition that other threads make true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def devices(fleet: Fleet, keys: Path) -> Iterator[list[FakeDevice]]:
    root = load_root((keys / "director-root.json").read_bytes())
    with ExitStack() as stack:
        made = []
        for index in range(4):
            device = FakeDevice(fleet.broker.url, f"mcu-{index}", root, lambda: datetime.now(UTC))
            stack.callback(device.close)
            made.append(device)
        until(lambda: len(_known(fleet)) == 4, "all devices reported")
        yield made


def _known(fleet: Fleet) -> list[dict]:
    return fleet.store.rows("SELECT device FROM devices WHERE board IS NOT NULL")


def _rows(fleet: Fleet, sql: str) -> list[dict]:
    return fleet.store.rows(sql)


def _publish(fleet: Fleet, bundle) -> str:
    return fleet.registry.publish(*bundle, time.time()).digest


def _roll(fleet: Fleet, digest: str, policy: Policy = POLICY) -> int:
    return fleet.store.write(
        lambda db: rollout_driver.create_rollout(db, digest, policy, time.time(), "test")
    ).id


def _state(fleet: Fleet, number: int) -> str:
    return str(queries.rollout(fleet.store, number)["state"])


def _answer_all(fleet: Fleet, devices: list[FakeDevice], number: int, state: UpdateState, **how) -> set[str]:
    """Answer every assignment until the rollout ends; returns who was asked."""
    asked: set[str] = set()

    def step() -> bool:
        for device in devices:
            while not device.assignments.empty():
                assignment = device.assignments.get()
                same = device.running is not None and assignment.bundle.digest == device.running.digest
                answer = UpdateState.ALREADY_INSTALLED if same else state
                if not same:
                    asked.add(device.name)
                device.report(assignment, answer, **({} if same else how))
                if answer is UpdateState.CONFIRMED:
                    device.observe(assignment)
        return _state(fleet, number) in ("finished", "stopped")

    until(step, f"rollout {number} ends")
    return asked


def test_a_good_version_reaches_everyone_in_stages(fleet: Fleet, devices, make_bundle) -> None:
    number = _roll(fleet, _publish(fleet, make_bundle(1)))
    assert _answer_all(fleet, devices, number, UpdateState.CONFIRMED) == {d.name for d in devices}
    shown = queries.rollout(fleet.store, number)
    assert shown["state"] == "finished"
    assert shown["counts"] == {"succeeded": 4}
    (score,) = queries.scores(fleet.store)
    assert score["accuracy"] == pytest.approx(0.8)
    assert {row["version"] for row in queries.devices(fleet.store)} == {1}


def test_a_version_that_fails_its_self_test_stops_in_its_first_stage(fleet, devices, make_bundle) -> None:
    first = _roll(fleet, _publish(fleet, make_bundle(1)))
    _answer_all(fleet, devices, first, UpdateState.CONFIRMED)
    bad = _roll(fleet, _publish(fleet, make_bundle(2)))
    asked = _answer_all(fleet, devices, bad, UpdateState.ROLLED_BACK, reason=Reason.SELF_TEST)
    assert len(asked) == 1, "only the first stage's device was exposed"
    shown = queries.rollout(fleet.store, bad)
    assert shown["state"] == "stopped"
    assert shown["reason"] == "self_test on 1 of 1 devices in stage 1 of 2"
    (member,) = [m for m in shown["devices"] if m["state"]]
    assert (member["state"], member["restored"]) == ("rolled_back", "already_installed")
    assert [alert["severity"] for alert in queries.alerts(fleet.store)] == ["critical"]
    assert {row["version"] for row in queries.devices(fleet.store)} == {1}


def test_devices_that_the_version_does_not_fit_are_left_out_with_the_reason(
    fleet, devices, make_bundle
) -> None:
    digest = _publish(fleet, make_bundle(1, ram_bytes=200_000))
    with pytest.raises(InputError, match="no device can take this version"):
        _roll(fleet, digest, msgspec.structs.replace(POLICY, dynamic=False))
    number = _roll(fleet, digest)  # may yet find devices, and says why it has none
    members = queries.rollout(fleet.store, number)["devices"]
    assert {(m["state"], m["reason"]) for m in members} == {("rejected", "out_of_ram")}
    assert _rows(fleet, "SELECT * FROM assignments") == []


def test_a_second_rollout_gets_each_device_when_the_first_is_done_with_it(
    fleet, devices, make_bundle
) -> None:
    first = _roll(fleet, _publish(fleet, make_bundle(1)))
    second = _roll(fleet, _publish(fleet, make_bundle(2)))
    told: dict[str, list[int]] = {device.name: [] for device in devices}

    def step() -> bool:
        for device in devices:
            while not device.assignments.empty():
                assignment = device.assignments.get()
                told[device.name].append(assignment.bundle.version)
                device.report(assignment, UpdateState.CONFIRMED)
                device.observe(assignment)
        return _state(fleet, second) == "finished"

    until(step, "the second rollout is finished")
    assert told == {device.name: [1, 2] for device in devices}
    assert queries.rollout(fleet.store, first)["counts"] == {"succeeded": 4}


def test_a_message_that_cannot_be_read_is_kept_counted_and_harms_nobody(fleet, devices, make_bundle) -> None:
    device = devices[0]
    device.client.publish(topics.device(device.name, "telemetry"), b"{broken", qos=1).wait_for_publish(10)
    device.client.publish(topics.device(device.name, "reported"), b"\xff\xfe", qos=1).wait_for_publish(10)
    device.client.publish(topics.device("mcu-9", "status"), b"[]", qos=1).wait_for_publish(10)
    until(lambda: len(fleet.store.rows("SELECT * FROM quarantine")) == 3, "three messages in quarantine")
    number = _roll(fleet, _publish(fleet, make_bundle(1)))
    _answer_all(fleet, devices, number, UpdateState.CONFIRMED)
    assert _state(fleet, number) == "finished"


def test_what_could_not_be_stored_comes_again_and_is_stored_once(
    fleet, devices, make_bundle, monkeypatch
) -> None:
    """A disk that is full for a moment: the connection ends, and the broker sends everything again."""
    full = threading.Event()
    full.set()
    real = reports.store_status

    def failing(db, status, now):
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        return real(db, status, now)

    monkeypatch.setattr(reports, "store_status", failing)
    device = devices[0]
    failed = counters.BROKER_DISCONNECTED._value.get()
    device.send("status", Status(device=device.name, state=Presence.ONLINE, session=2, boot=BOOT))
    until(lambda: counters.BROKER_DISCONNECTED._value.get() > failed, "the bridge gave its connection up")
    full.clear()
    until(lambda: queries.device(fleet.store, device.name)["session"] == 2, "the status came again")


def test_a_server_that_restarts_goes_on_with_its_rollout(
    settings: Settings, keys: Path, make_bundle, tmp_path: Path
) -> None:
    """Restarted between the commit of an assignment and its publication: the device still gets it."""
    root = load_root((keys / "director-root.json").read_bytes())
    first = Fleet(settings).start()
    device = FakeDevice(first.broker.url, "mcu-0", root, lambda: datetime.now(UTC))
    until(lambda: _known(first), "the device reported")
    device.close()
    number = _roll(first, _publish(first, make_bundle(1)))
    first.stop()
    second = Fleet(settings).start()
    try:
        device = FakeDevice(second.broker.url, "mcu-0", root, lambda: datetime.now(UTC))
        asked = _answer_all(second, [device], number, UpdateState.CONFIRMED)
        device.close()
        assert asked == {"mcu-0"}
        assert _state(second, number) == "finished"
    finally:
        second.stop()
