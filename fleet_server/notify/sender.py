"""Sends what waits: one thread, one task a channel, so that a slow one holds up nobody else."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlite_utils import Database

from fleet_server.notify import deliveries
from fleet_server.notify.backoff import delay_s
from fleet_server.notify.channel import Channel
from fleet_server.store import Store
from wire.errors import FleetError
from wire.messages import AlertNotice

log = logging.getLogger(__name__)
COMPLAIN_AFTER_S = 600.0
"""A channel that fails for so long is an alert of its own."""


class Sender:
    """At least once: what was sent and not yet written down is sent again, with the same id."""

    def __init__(
        self, store: Store, channels: Sequence[Channel], dashboard_url: str = "", poll_s: float = 0.5
    ) -> None:
        self._store, self._channels = store, channels
        self._dashboard_url, self._poll_s = dashboard_url.rstrip("/"), poll_s
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="notify", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin to send."""
        names = [channel.routing.name for channel in self._channels]
        self._store.write(lambda db: deliveries.forget_others(db, names, time.time()))
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Give up what is under way, which waits in the outbox; may be called twice."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(2 * len(self._channels) + 2, "notify"))
        self._ready.set()
        tasks = [asyncio.create_task(self._tend(channel)) for channel in self._channels]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tend(self, channel: Channel) -> None:
        tending = _Tending(self._store, channel, self._dashboard_url)
        while True:
            try:
                rest_s = await tending.step()
            except Exception:
                log.exception("channel %s", channel.routing.name)
                rest_s = channel.routing.retry_most_s
            await asyncio.sleep(self._poll_s if rest_s is None else rest_s)


class _Tending:
    """How one channel does."""

    def __init__(self, store: Store, channel: Channel, dashboard_url: str) -> None:
        self._store, self._channel, self._dashboard_url = store, channel, dashboard_url
        self._failures = 0
        self._failing_since = 0.0

    async def step(self) -> float | None:
        """Send one message if one is due; returns how long to rest, None: until there is something."""
        routing, now = self._channel.routing, time.time()
        if not self._store.read(lambda db: deliveries.has_news(db, routing.name, now)):
            return None
        await self._write(lambda db: deliveries.take_in(db, routing, self._dashboard_url, now))
        batch = self._store.read(lambda db: deliveries.due(db, routing.name, self._channel.batch, now))
        return await self._send(batch) if batch else None

    async def _send(self, batch: dict[int, AlertNotice]) -> float:
        routing, numbers = self._channel.routing, list(batch)
        try:
            detail = await self._channel.send(list(batch.values()))
        except FleetError as error:
            await self._failed(numbers, error.message)
            luck = random.random()  # noqa: S311 - spreads attempts, guards nothing
            return delay_s(self._failures, routing.retry_first_s, routing.retry_most_s, luck)
        self._failures = 0
        await self._write(
            lambda db: deliveries.delivered(db, routing.name, numbers, detail[:240], time.time())
        )
        return routing.gather_s

    async def _failed(self, numbers: list[int], why: str) -> None:
        routing, now = self._channel.routing, time.time()
        if self._failures == 0:
            self._failing_since = now
            log.warning("channel %s: %s", routing.name, why)
        self._failures += 1
        long = now - self._failing_since >= COMPLAIN_AFTER_S
        message = f"channel {routing.name} ({self._channel.shown}) does not take notices: {why}"

        def note(db: Database) -> None:
            deliveries.failed(db, routing, numbers, why, now)
            if long:
                deliveries.complain(db, routing.name, message, now)

        await self._write(note)

    async def _write(self, run: Callable[[Database], None]) -> None:
        # In a thread: canceling an awaited future would cancel the writer's own.
        await asyncio.to_thread(self._store.write, run)
