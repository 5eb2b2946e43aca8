"""A database, its clock, and scripted devices: rollouts without a broker."""

from collections.abc import Callable

import msgspec
from sqlite_utils import Database

from fleet_server import queries, reports, rollout_driver
from fleet_server.rollout_policy import Policy
from fleet_server.store import Row, Store
from tests.fleet_server.fake_device import BOOT, HARDWARE
from wire.errors import InputError
from wire.messages import Hardware, ModelRef, Reported, Status, Telemetry
from wire.states import NumericsFamily, Presence, Reason, UpdateState

QUICK = Policy(stages=(1.0,), control=0.0, deadline_s=60, soak_s=0)


def by_name(_db: Database, expression: str) -> Callable[[Row], bool]:
    """A filter language of one word: the beginning of a device's name."""
    if " " in expression:
        raise InputError("bad_filter", "one word", "")
    return lambda row: row["device"].startswith(expression)


class Site:
    """A database, its clock, and what devices say."""

    def __init__(self, store: Store, director, registry, make_bundle) -> None:
        self.store, self.director, self.now = store, director, 1000.0
        self.refs: dict[int, ModelRef] = {}
        for version in (1, 2, 3):
            self.refs[version] = registry.publish(*make_bundle(version), self.now)
        self._seq = 0
        self.runs: dict[str, int] = {}

    def hello(self, *names: str, runs: int | None = None, hardware: Hardware = HARDWARE) -> None:
        for name in names:
            if runs is not None:
                self.runs[name] = runs
            self.status(name, Presence.ONLINE)
            self.report(name, None, None, hardware=hardware)

    def status(self, name: str, presence: Presence) -> None:
        status = Status(device=name, state=presence, session=1, boot=BOOT)
        self.store.write(lambda db: reports.store_status(db, status, self.now))

    def report(
        self,
        name: str,
        attempt: str | None,
        state: UpdateState | None,
        reason: Reason = Reason.NONE,
        hardware: Hardware = HARDWARE,
    ) -> None:
        self._seq += 1
        running = self.refs[self.runs[name]] if name in self.runs else None
        report = Reported(
            device=name, boot=BOOT, seq=self._seq, sequence=0, attempt=attempt, state=state, reason=reason,
            running=running, slots={}, downloaded_bytes=0, hardware=hardware,
        )  # fmt: skip
        self.store.write(lambda db: reports.store_reported(db, report, self.now))

    def roll(self, version: int, policy: Policy = QUICK, **how: object) -> int:
        digest = self.refs[version].digest
        return self.store.write(
            lambda db: rollout_driver.create_rollout(
                db, digest, policy, self.now, "ann", filters=by_name, **how
            )
        ).id

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.store.write(lambda db: db.execute("UPDATE assignments SET published = 1"))
        self.store.write(lambda db: rollout_driver.tick(db, self.director, self.now, filters=by_name))

    def command(self, number: int, how: Callable) -> None:
        self.store.write(lambda db: rollout_driver.change(db, number, how, self.now, "ann"))

    def wish(self, name: str) -> Row | None:
        return self.store.row(
            "SELECT * FROM assignments WHERE device = ? ORDER BY sequence DESC LIMIT 1", (name,)
        )

    def confirm(self, *names: str, stubborn: bool = False) -> None:
        """Each does what it was last told, if it was told something new; ``stubborn``: it did already."""
        for name in names or [row["device"] for row in self.store.rows("SELECT device FROM devices")]:
            wish = self.wish(name)
            if wish is None or wish["state"] not in ("queued", "downloading", "timed_out"):
                continue
            if msgspec.json.decode(wish["policy"])["cancel"] and not stubborn:
                self.report(name, wish["attempt"], UpdateState.CANCELED, Reason.WITHDRAWN)
                continue
            self.runs[name] = next(v for v, ref in self.refs.items() if ref.digest == wish["digest"])
            self.report(name, wish["attempt"], UpdateState.CONFIRMED)
            self._seq += 1
            window = Telemetry(
                device=name, boot=BOOT, seq=self._seq, attempt=wish["attempt"],
                model=self.refs[self.runs[name]], numerics=NumericsFamily.TFLM, at_unix_s=None,
                duration_s=1.0, n=1, latency_clock="host", latency={1: 1}, latency_sum_us=1, classes=[1],
                confidence=[0] * 9 + [1],
            )  # fmt: skip
            payload = msgspec.json.encode(window)
            self.store.write(
                lambda db, window=window, payload=payload: reports.store_telemetry(
                    db, window, payload, self.now
                )
            )

    def finish(self, number: int, ticks: int = 20) -> None:
        for _ in range(ticks):
            self.tick()
            self.confirm()
            if self.shown(number)["state"] == "finished":
                return
        raise AssertionError(self.shown(number))

    def finish_all(self, ticks: int) -> None:
        for _ in range(ticks):
            self.confirm()
            self.tick(10)

    def shown(self, number: int) -> Row:
        return queries.rollout(self.store, number)

    def states(self, number: int) -> dict[str, str | None]:
        return {m["device"]: m["state"] for m in self.shown(number)["devices"]}
