"""The running server: its parts put together, started and stopped in order."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Self

from fleet_server import drift_tick, rollout_driver, tokens
from fleet_server.bridge import Bridge
from fleet_server.broker import Broker, open_broker
from fleet_server.device_filter import parse
from fleet_server.director import Director, open_director
from fleet_server.drift import policy as drift_policy
from fleet_server.drift.policy import DriftPolicy
from fleet_server.membership import Filters, by_tags
from fleet_server.notify import settings as notify_settings
from fleet_server.notify.sender import Sender
from fleet_server.notify.settings import NotifySettings
from fleet_server.registry import Registry, open_registry
from fleet_server.settings import Settings
from fleet_server.silence_watch import Policy as SilencePolicy
from fleet_server.silence_watch import Watch
from fleet_server.store import Store

log = logging.getLogger(__name__)
RENEW_EVERY_S = 3600.0


class Fleet:
    """Store, registry, director, broker and bridge, and the clock that moves rollouts on."""

    store: Store
    registry: Registry
    director: Director
    broker: Broker
    bridge: Bridge
    token_file: Path
    drift: DriftPolicy
    filters: Filters = staticmethod(by_tags)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts = ExitStack()
        self._stopping = threading.Event()
        self._silence = Watch(SilencePolicy(settings.silent_after_s, settings.silent_where), self.filters)
        self._clock = threading.Thread(target=self._tick_until_stopped, name="rollouts", daemon=True)

    def start(self) -> Self:
        """Open everything; FleetError when a part cannot be had, and then nothing is left open."""
        with ExitStack() as parts:
            self._open(parts)
            self._parts = parts.pop_all()
        self._clock.start()
        return self

    def stop(self) -> None:
        """Close in the opposite order; devices see the server's offline state before the broker goes."""
        self._stopping.set()
        self._clock.join()
        self._parts.close()

    def _open(self, parts: ExitStack) -> None:
        settings = self.settings
        self.drift = drift_policy.read(settings.drift_file) if settings.drift_file else DriftPolicy()
        if settings.silent_where is not None:
            parse(settings.silent_where)
        notify = notify_settings.read(settings.notify_file) if settings.notify_file else None
        self.director = open_director(settings.trust_dir, timedelta(days=settings.assignment_days))
        self.store = Store(settings.data_dir / "fleet.db")
        parts.callback(self.store.close)
        self.token_file = tokens.ensure_admin(self.store, settings.data_dir, time.time())
        self.registry = open_registry(self.store, settings.data_dir, settings.trust_dir)
        self.broker = open_broker(settings.broker_url, settings.data_dir, settings.broker_port)
        parts.callback(self.broker.stop)
        self.broker.start()
        self.bridge = Bridge(self.store, self.registry, self.broker.url)
        self.bridge.start()
        parts.callback(self.bridge.stop)
        if notify is not None:
            parts.callback(self._open_sender(notify).stop)

    def _open_sender(self, notify: NotifySettings) -> Sender:
        name = self.settings.notify_file.name if self.settings.notify_file else ""
        channels = notify_settings.open_channels(notify, name, self.broker.url)
        for channel in channels:
            log.info("alerts are told by %s (%s)", channel.routing.name, channel.shown)
        sender = Sender(self.store, channels, notify.dashboard_url or "", self.settings.tick_s)
        sender.start()
        return sender

    def _tick_until_stopped(self) -> None:
        renewed_at = 0.0
        while not self._stopping.wait(self.settings.tick_s):
            now = time.time()
            try:
                self._tick(now, renew=now - renewed_at > RENEW_EVERY_S)
            except Exception:
                # Nothing was committed or marked as published: the next tick tries again.
                log.exception("tick failed")
            else:
                renewed_at = renewed_at if now - renewed_at <= RENEW_EVERY_S else now

    def _tick(self, now: float, *, renew: bool) -> None:
        self.store.write(lambda db: rollout_driver.tick(db, self.director, now, filters=self.filters))
        if renew:
            self.store.write(lambda db: self.director.renew(db, now))
        self.bridge.publish_pending()
        self.bridge.publish_asks()
        self._silence.tick(self.store, now, listening=self.bridge.connected)
        drift_tick.tick(self.store, self.drift, now)
