"""One tick of the drift watch: telemetry in at every tick, an examination once a look."""

from __future__ import annotations

from sqlite_utils import Database

from fleet_server import drift_alerts, drift_feed, drift_keeper
from fleet_server.drift.policy import DriftPolicy
from fleet_server.store import Store


def tick(store: Store, policy: DriftPolicy, now: float) -> None:
    """Only one thread may call it: between reading and storing, nobody else changes a detector."""
    store.write(lambda db: drift_feed.feed(db, policy))
    if not store.read(lambda db: drift_keeper.is_due(db, policy, now)):
        return
    found = store.read(lambda db: drift_keeper.examine(db, policy))

    def keep(db: Database) -> None:
        drift_keeper.keep(db, found, now)
        for each in found.results:
            drift_alerts.tell(db, each, now)

    store.write(keep)
