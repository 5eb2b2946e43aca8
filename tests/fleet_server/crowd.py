"""Devices that do what they are told, in their own time, and say it twice or in the wrong order."""

import random
import threading
import time
from collections import defaultdict
from typing import Final, NamedTuple

from tests.fleet_server.fake_device import FakeDevice
from wire.states import Reason, UpdateState
from wire.trust import Assignment

#: Longest that a device takes to do what it was told, seconds.
MOST_BUSY_S: Final = 0.8
#: Mean time between two windows of a device, seconds.
WINDOW_S: Final = 0.5


class Due(NamedTuple):
    """A wish that a device is busy with."""

    at: float
    device: FakeDevice
    wish: Assignment


class Crowd(threading.Thread):
    """Answers for all devices, and remembers what they were told and what the broker took from them."""

    def __init__(self, devices: list[FakeDevice], rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.told: dict[str, list[Assignment]] = defaultdict(list)
        """By device, in the order of arrival: the same one again after a kill between publishing and
        noting that it was."""
        self.windows: set[tuple[str, str, int]] = set()
        """Acknowledged telemetry by device, boot and number."""
        self.error: Exception | None = None
        self._devices, self._rng = devices, rng
        self._busy: list[Due] = []
        self._attempts: dict[str, str] = {}
        """Which attempt brought each device what it runs."""
        self._over = threading.Event()

    def run(self) -> None:
        try:
            while not self._over.wait(0.01):
                self._step(time.monotonic())
        except Exception as error:  # noqa: BLE001 - raised again by stop(), where the test sees it
            self.error = error

    @property
    def idle(self) -> bool:
        """Whether nobody is busy with anything."""
        return not self._busy and all(device.assignments.empty() for device in self._devices)

    def stop(self) -> None:
        self._over.set()
        self.join()
        if self.error is not None:
            raise self.error

    def _step(self, now: float) -> None:
        for device in self._devices:
            while not device.assignments.empty():
                wish = device.assignments.get()
                self.told[device.name].append(wish)
                self._busy.append(Due(now + self._rng.uniform(0, MOST_BUSY_S), device, wish))
        due = [each for each in self._busy if each.at <= now]
        for each in due:
            self._answer(each.device, each.wish)
        self._busy = [each for each in self._busy if each.at > now]
        for device in self._devices:
            if device.running is not None and self._rng.random() < 0.01 / WINDOW_S:
                self._observe(device)

    def _answer(self, device: FakeDevice, wish: Assignment) -> None:
        if wish.sequence < self.told[device.name][-1].sequence:
            return  # A device keeps to the newest of what it was told.
        again = self._attempts.get(device.name) == wish.attempt
        if wish.policy.cancel and not again:
            device.report(wish, UpdateState.CANCELED, Reason.WITHDRAWN)
            return
        same = device.running == wish.bundle and not again
        early = device.reported(wish, UpdateState.DOWNLOADING, downloaded=100)
        end = device.reported(wish, UpdateState.ALREADY_INSTALLED if same else UpdateState.CONFIRMED)
        device.running = wish.bundle
        self._attempts[device.name] = wish.attempt
        for report in self._rng.choice([(early, end), (end, early), (end, end), (early, end, early, end)]):
            device.send("reported", report)
        self._observe(device)

    def _observe(self, device: FakeDevice) -> None:
        assert device.running is not None
        window = device.window(device.running, self._attempts.get(device.name), self._rng.randint(6, 9))
        for _ in range(self._rng.choice([1, 1, 2])):
            device.send("telemetry", window)
        self.windows.add((window.device, window.boot, window.seq))
