"""One device: its link, its update, its answers, and what it tells of them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from contextlib import aclosing
from random import Random
from typing import NamedTuple

from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.broker_url import BrokerUrl
from device_agent.delivery import Delivery
from device_agent.link import Link
from device_agent.loaded_model import LoadedModel
from device_agent.reports import Reports
from device_agent.sampling import Sampling
from device_agent.sensor import Sensor
from device_agent.storage import MessageQueue, Storage
from device_agent.updates import Setting, Updates
from device_agent.window import Window
from wire import topics
from wire.errors import FleetError
from wire.messages import AttemptId, LatencyClock, encode
from wire.states import Presence
from wire.trust import Policy, verify_assignment

log = logging.getLogger("tinyfleet.device")


class Parts(NamedTuple):
    """What a device is put together from."""

    setting: Setting
    store: Storage
    outbox: MessageQueue
    sensor: Sensor
    broker: BrokerUrl
    latency_clock: LatencyClock
    rng: Random
    active_uw: float | None = None
    """Power while a model computes, microwatts; None where it is not known."""
    samples: int = 0
    """Raw windows that are kept for the server to ask for; 0: none is kept, and none is sent."""


class Device:
    """A whole device; ``run`` it on a loop that others may share."""

    def __init__(self, parts: Parts) -> None:
        """Boot: count it, and prepare for the work that the last boot left (StoreError)."""
        self._setting = parts.setting
        self._sensor = parts.sensor
        self._outbox = parts.outbox
        self._counters: Counter[str] = Counter()
        self._dark = False
        device = parts.setting.device
        boots = parts.store.next_boot()
        boot = f"{boots:08x}-{secrets.token_hex(4)}"
        setting = parts.setting
        self._reports = Reports(
            device, boots, boot, setting.hardware, parts.latency_clock, setting.now, parts.active_uw
        )
        self._link = Link(parts.broker, device, self._will, parts.rng)
        self._link.on_up = self._on_up
        self._link.on_down = self._on_down
        self._delivery = Delivery(
            self._link, parts.outbox, topics.device(device, "telemetry"), self._complain
        )
        self._answering = Answering(self._trial_passed, self._trial_failed, self._on_window)
        self._answering.attempt_of = self._attempt_of
        self._sampling = Sampling(
            device, boot, setting.director_root, setting.now, self._link, parts.samples, parts.rng
        )
        self._answering.answered = self._sampling.see
        self._updates = Updates(
            parts.setting, parts.store, self._link, self._answering, self._counters, self._report
        )

    @property
    def name(self) -> str:
        """Device id."""
        return self._setting.device

    @property
    def state(self) -> u.State:
        """Its update state."""
        return self._updates.state

    @property
    def counters(self) -> dict[str, int]:
        """What happened since the boot, by name."""
        return {
            **self._counters,
            "failed_inferences": self._answering.errors,
            "outbox_dropped": self._delivery.dropped,
        }

    async def run(self) -> None:
        """Work until cancelled, then say goodbye: windows are kept, presence is offline."""
        self._link.subscribe(topics.device(self.name, "desired"), self._on_desired)
        self._link.subscribe(topics.device(self.name, "ask"), self._on_ask)
        self._link.subscribe(topics.SERVER_STATE, self._on_server)
        self._updates.post(u.Booted())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._link.run())
                group.create_task(self._delivery.run())
                group.create_task(self._answer())
        finally:
            await self._stop()

    def lose_power(self) -> None:
        """Be silent from now on; cancelling ``run`` then says no goodbye, and keeps nothing."""
        self._dark = True
        self._link.drop()

    async def _stop(self) -> None:
        await self._updates.stop()
        if self._dark:
            return
        self._answering.close_window()
        status = encode(self._reports.status(Presence.OFFLINE))
        await self._link.close(topics.device(self.name, "status"), status)
        self._outbox.close()
        counts = " ".join(f"{name}={count}" for name, count in self.counters.items() if count)
        log.info("%s: stopped; since its boot: %s", self.name, counts or "nothing to tell")

    async def _answer(self) -> None:
        async with aclosing(self._sensor.readings()) as readings:
            async for reading in readings:
                attempt = self.state.attempt
                policy = Policy() if attempt is None else attempt.policy
                self._answering.report_every_s = policy.report_every_ms / 1000
                self._answering.answer(reading)

    def _will(self) -> tuple[str, bytes]:
        self._reports.new_session()
        return topics.device(self.name, "status"), encode(self._reports.status(Presence.OFFLINE))

    def _on_up(self) -> None:
        log.info("%s: connected", self.name)
        self._assert()
        self._delivery.interrupted()

    def _on_server(self, payload: bytes) -> None:
        # A new server, or one whose broker has forgotten what it retained, must not miss us.
        if self._delivery.server_says(payload):
            self._assert()

    def _assert(self) -> None:
        """Say who and how we are, retained."""
        status = encode(self._reports.status(Presence.ONLINE))
        self._link.publish(topics.device(self.name, "status"), status, retain=True)
        self._report(self.state.attempt)

    def _on_down(self, why: str) -> None:
        self._counters["link_lost"] += 1
        log.warning("%s: no link: %s", self.name, why)
        self._delivery.interrupted()

    def _on_desired(self, payload: bytes) -> None:
        if not payload:
            return  # the retained wish was cleared: keep what there is
        setting = self._setting
        try:
            assignment = verify_assignment(setting.director_root, payload, self.name, setting.now())
        except FleetError as error:
            self._counters[error.code] += 1
            log.warning("%s: assignment refused: %s", self.name, error)
            return
        self._updates.post(u.Assigned(assignment))

    def _on_ask(self, payload: bytes) -> None:
        try:
            self._sampling.asked(payload)
        except FleetError as error:
            self._counters[error.code] += 1
            log.warning("%s: request for samples refused: %s", self.name, error)

    def _report(self, attempt: u.Attempt | None) -> None:
        if attempt is not None:
            log.info("%s: %s %s", self.name, attempt.id, _story(attempt))
        if self._link.up.is_set():  # otherwise it is said anew when the link is back
            reported = self._reports.reported(self._updates.state, attempt)
            self._link.publish(topics.device(self.name, "reported"), encode(reported), retain=True)

    def _on_window(self, window: Window) -> None:
        telemetry = self._reports.telemetry(window, self._sensor.stride, self._delivery.dropped)
        try:
            self._delivery.keep(telemetry)
        except FleetError as error:
            self._counters["lost_windows"] += 1
            self._complain(error)

    def _trial_passed(self, attempt: AttemptId) -> None:
        self._updates.post(u.TrialPassed(attempt))

    def _trial_failed(self, attempt: AttemptId, error: FleetError) -> None:
        self._updates.fail(attempt, error)

    def _attempt_of(self, model: LoadedModel) -> AttemptId | None:
        """The attempt that brought this model, as long as it is known."""
        attempt = self.state.attempt
        return attempt.id if attempt is not None and attempt.bundle == model.ref else None

    def _complain(self, error: FleetError) -> None:
        log.warning("%s: %s", self.name, error)


def _story(attempt: u.Attempt) -> str:
    model = f"{attempt.bundle.model} v{attempt.bundle.version}"
    why = f": {attempt.reason} {attempt.detail}".rstrip() if attempt.reason != "none" else ""
    return f"{model} {attempt.state}{why}"
