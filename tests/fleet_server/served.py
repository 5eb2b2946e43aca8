"""A running fleet server with scripted devices, and how tests wait for it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from fleet_server import queries, rollout_driver
from fleet_server.fleet import Fleet
from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import Rollout
from tests.fleet_server.fake_device import HARDWARE, FakeDevice
from wire.messages import Hardware
from wire.states import Reason, UpdateState
from wire.trust import Assignment, load_root

QUICK = Policy(stages=(1.0,), control=0.0, deadline_s=60, soak_s=0)


def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Wait for a condition that other threads make true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class Served:
    """One server and the devices of one test."""

    def __init__(self, fleet: Fleet, make_bundle: Callable) -> None:
        self.fleet = fleet
        self.bundle = make_bundle
        self.devices: list[FakeDevice] = []
        self._root = load_root((fleet.settings.trust_dir / "director-root.json").read_bytes())

    def device(self, name: str = "mcu-0", hardware: Hardware = HARDWARE) -> FakeDevice:
        """A device that the server knows."""
        made = FakeDevice(self.fleet.broker.url, name, self._root, lambda: datetime.now(UTC), hardware)
        self.devices.append(made)
        found = "SELECT 1 FROM devices WHERE device = ? AND hardware IS NOT NULL"
        until(lambda: self.fleet.store.row(found, (name,)), f"{name} reported")
        return made

    def close(self) -> None:
        for device in self.devices:
            device.close()

    def publish(self, version: int = 1, **how: object) -> str:
        return self.fleet.registry.publish(*self.bundle(version, **how), time.time()).digest

    def roll(self, version: int = 1, policy: Policy = QUICK) -> int:
        digest = self.publish(version)
        made = self.fleet.store.write(
            lambda db: rollout_driver.create_rollout(
                db, digest, policy, time.time(), "test", filters=self.fleet.filters
            )
        )
        return made.id

    def command(self, number: int, how: Callable[[Rollout], Rollout]) -> None:
        self.fleet.store.write(lambda db: rollout_driver.change(db, number, how, time.time(), "test"))

    def shown(self, number: int) -> dict:
        return queries.rollout(self.fleet.store, number)

    def member(self, number: int, device: str = "mcu-0") -> dict:
        (found,) = [m for m in self.shown(number)["devices"] if m["device"] == device]
        return found

    def until_state(self, number: int, *states: str) -> None:
        until(lambda: self.shown(number)["state"] in states, f"rollout {number} is {states}")

    def until_member(self, number: int, state: str | None, device: str = "mcu-0") -> None:
        until(lambda: self.member(number, device)["state"] == state, f"{device} is {state}")

    def running(self, device: FakeDevice, version: int) -> int:
        """The device runs a version, by a rollout that succeeded."""
        number = self.roll(version)
        confirm(device)
        self.until_state(number, "finished")
        return number


def confirm(device: FakeDevice, reason: Reason = Reason.NONE) -> Assignment:
    """The next wish, done and reported."""
    assignment = device.assignments.get(timeout=20)
    device.report(assignment, UpdateState.CONFIRMED, reason)
    device.observe(assignment)
    return assignment
