"""Telemetry on its way into the gates: once each, however it is cut, and whatever is undone in between."""

from collections import Counter
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from fleet_server import gate_feed, reports, rollout_driver
from fleet_server.gate_feed import Frame
from fleet_server.gates.cell import BASELINE
from tests.fleet_server.site import Site
from tests.fleet_server.test_gatekeeper import NAMES, POLICY, Field
from wire.messages import Shadow, Telemetry

_DEVICES = NAMES[:8]


class Sent(NamedTuple):
    """A window as a device sends it."""

    device: int
    version: int
    correct: int
    times: int
    boot: int
    late_s: float | None
    """Kept back for so long; None: it was not."""
    shadow: bool


class Feed(NamedTuple):
    """The feed of one tick."""

    batch: int
    killed: bool
    """Before it was committed."""


SENT = st.builds(
    Sent,
    device=st.integers(0, len(_DEVICES) - 1),
    version=st.integers(1, 2),
    correct=st.integers(0, 40),
    times=st.integers(1, 2),
    boot=st.integers(1, 2),
    late_s=st.none() | st.sampled_from([0.0, 7.0, 500.0]),
    shadow=st.booleans(),
)
FEED = st.builds(Feed, batch=st.integers(1, 6), killed=st.booleans())


class Undo(Exception):  # noqa: N818 - not an error
    """Takes back all that an example, or a killed server's transaction, has written."""


def _window(field: Field, sent: Sent, now: float) -> Telemetry:
    changes: dict[str, object] = {"correct": sent.correct, "boot": f"0000000{sent.boot}-0000aaaa"}
    if sent.late_s is not None:
        changes |= {"historical": True, "at_unix_s": now - sent.late_s}
    if sent.shadow:
        changes["shadow"] = Shadow(
            model=field.site.refs[2], n=9, disagreed=sent.correct % 9, errors=0, latency_sum_us=9
        )
    return field.window(_DEVICES[sent.device], sent.version, 1.0, **changes)


def _fed(db: Database, frame: Frame) -> object:
    return (
        gate_feed.load_cells(db, frame.rollout),
        gate_feed.load_lives(db, frame.rollout),
        list(db.query("SELECT * FROM gate_shadows ORDER BY device")),
        db.execute("SELECT fed_id FROM gate_cursors").fetchall(),
    )


def _expected(db: Database, frame: Frame, windows: list[tuple[Telemetry, float]]) -> Counter[str]:
    """Inferences that count, by device: each window alone, by what the documentation says of it."""
    arms = {row["device"]: row["arm"] for row in db.query("SELECT device, arm FROM rollout_devices")}
    found: Counter[str] = Counter()
    for window, at in windows:
        new = window.model.digest == frame.digest
        before = at < frame.started_at
        if new == (arms[window.device] == "new" and not before):
            found[window.device] += window.n
    return found


class Run:
    """One example: the same windows fed in pieces, and then all at once."""

    def __init__(self, field: Field, db: Database, frame: Frame, patch: pytest.MonkeyPatch) -> None:
        self.field, self.db, self.frame, self.patch = field, db, frame, patch
        self.now = field.site.now
        self.windows: list[tuple[Telemetry, float]] = []

    def step(self, step: Sent | Feed) -> None:
        if isinstance(step, Feed):
            self._feed(step)
            return
        self.now += 3.0
        window = _window(self.field, step, self.now)
        for _ in range(step.times):
            reports.store_telemetry(self.db, window, msgspec.json.encode(window), self.now)
        self.windows.append((window, self.now - (step.late_s or 0.0)))

    def rest(self, batch: int) -> None:
        self.patch.setattr(gate_feed, "MAX_WINDOWS", batch)
        for _ in range(len(self.windows) + 1):
            gate_feed.feed(self.db, self.frame)
        assert not gate_feed.feed(self.db, self.frame)

    def _feed(self, feed: Feed) -> None:
        self.patch.setattr(gate_feed, "MAX_WINDOWS", feed.batch)
        try:
            with self.db.atomic():
                assert gate_feed.feed(self.db, self.frame) <= feed.batch
                if feed.killed:
                    raise Undo
        except Undo:
            pass


@given(steps=st.lists(SENT | FEED, max_size=40), last=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example is taken back
def test_in_any_pieces_with_any_kills_the_sums_are_those_of_feeding_all_at_once(
    site: Site, steps: list[Sent | Feed], last: int
) -> None:
    field = Field(site)

    def example(db: Database) -> None:
        number = rollout_driver.create_rollout(db, site.refs[2].digest, POLICY, site.now).id
        rollout = rollout_driver.load(db, number)
        frame = Frame(number, rollout.bundle.digest, rollout.started_at or 0.0, POLICY)
        with pytest.MonkeyPatch.context() as patch:
            run = Run(field, db, frame, patch)
            for step in steps:
                run.step(step)
            run.rest(last)
            pieces = _fed(db, frame)
            for table in ("gate_cursors", "gate_cells", "gate_lives", "gate_shadows"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            run.rest(5000)
        whole = _fed(db, frame)
        assert pieces == whole
        counted: Counter[str] = Counter()
        for where, cell in whole[0].items():
            counted[where.device] += round(cell.sums["errors"].weight)
            assert where.bin >= BASELINE
        assert counted == _expected(db, frame, run.windows)
        raise Undo

    with pytest.raises(Undo):
        site.store.write(example)
