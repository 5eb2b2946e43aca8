"""What waits on a channel: one notice an alert, no crowd of updates, a bound that is counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_server import alerts, queries
from fleet_server.alerts import Alert, AlertKind, Severity, State
from fleet_server.notify import deliveries
from fleet_server.notify.routing import Routing
from fleet_server.store import Store
from tests.fleet_server.notify.receivers import ALERT
from wire.messages import AlertNotice

OPS = Routing(name="ops")


class Desk:
    """A database, a clock, and one channel that is asked by hand."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, 1000.0
        self.routing = OPS
        self.take_in()

    def see(self, **changes: object) -> int:
        return self.store.write(lambda db: alerts.raise_alert(db, self.now, replace(ALERT, **changes)))

    def resolve(self, number: int) -> None:
        self.store.write(lambda db: alerts.change(db, number, State.RESOLVED, self.now, "ann"))

    def take_in(self) -> None:
        self.store.write(lambda db: deliveries.take_in(db, self.routing, "https://x.org", self.now))

    def due(self) -> dict[int, AlertNotice]:
        self.take_in()
        return self.store.read(lambda db: deliveries.due(db, self.routing.name, 1000, self.now))

    def send(self) -> list[tuple[int, str]]:
        """Deliver what is due; alert and event of each."""
        found = self.due()
        self.store.write(lambda db: deliveries.delivered(db, self.routing.name, list(found), "", self.now))
        return [(notice.alert, str(notice.event)) for notice in found.values()]

    def fail(self) -> None:
        found = self.due()
        self.store.write(lambda db: deliveries.failed(db, self.routing, list(found), "no", self.now))

    def states(self) -> list[str]:
        rows = self.store.rows("SELECT state FROM alert_deliveries WHERE channel = ? ORDER BY id",
                               (self.routing.name,))  # fmt: skip
        return [row["state"] for row in rows]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path / "fleet.db")
    yield Desk(store)
    store.close()


def test_five_hundred_devices_are_one_notice_and_its_updates_are_rare(desk: Desk) -> None:
    number, told = 0, []
    for second in range(0, 1800, 20):
        desk.now = 1000.0 + second
        number = desk.see(devices=tuple(f"d{i}" for i in range(1 + min(499, second // 2))))
        told += desk.send()
    assert told == [(number, "opened"), (number, "updated")]
    desk.now = 1000.0 + 2700
    (last,) = desk.due().values()
    assert (last.event, last.device_count) == ("updated", 500)


def test_what_opens_gets_worse_or_is_over_is_told_at_once(desk: Desk) -> None:
    number = desk.see()
    assert desk.send() == [(number, "opened")]
    desk.now += 1
    desk.see(severity=Severity.CRITICAL)
    assert desk.send() == [(number, "escalated")]
    desk.now += 1
    desk.resolve(number)
    assert desk.send() == [(number, "resolved")]


def test_an_alert_that_flaps_is_told_of_twice_and_then_rarely(desk: Desk) -> None:
    told = []
    for _ in range(30):
        number = desk.see()
        told += desk.send()
        desk.now += 10
        desk.resolve(number)
        told += desk.send()
        desk.now += 10
    assert told == [(number, event) for event in ("opened", "resolved", "reopened", "resolved")]
    desk.now += OPS.updates_every_s
    assert desk.send() == [(number, "resolved")], "how it ended is told in the end"


def test_while_a_channel_is_down_its_last_word_on_each_alert_waits(desk: Desk) -> None:
    number = desk.see()
    desk.fail()
    desk.now += 5
    desk.see(devices=("a", "b", "c"))
    desk.fail()
    desk.resolve(number)
    (notice,) = desk.due().values()
    assert (notice.event, notice.devices) == ("resolved", ("a", "b", "c"))
    assert desk.states() == ["superseded", "superseded", "waiting"]
    assert notice.url == f"https://x.org/alerts/{number}"


def test_an_update_of_what_was_never_told_does_not_wait(desk: Desk) -> None:
    desk.see()
    desk.fail()
    desk.now += 1
    desk.see(devices=("c",))
    assert [event for _, event in desk.send()] == ["updated"]


def test_the_queue_is_bounded_the_oldest_go_and_that_is_an_alert_itself(desk: Desk) -> None:
    desk.routing = Routing(name="ops", most_waiting=10)
    numbers = [desk.see(key=str(i)) for i in range(25)]
    desk.take_in()
    assert desk.states() == ["dropped"] * 15 + ["waiting"] * 10
    (complaint,) = queries.alerts(desk.store, kind="delivery")
    assert complaint["message"] == "channel ops has never delivered 15 notices"
    assert [notice.alert for notice in desk.due().values()][-1] == complaint["id"]
    for _ in range(20):
        desk.take_in()
    assert desk.states().count("waiting") == 10
    assert desk.states().count("dropped") == 16, "and no more for telling so"
    told = [number for number, _ in desk.send()]
    assert told == [*numbers[16:], complaint["id"]]
    (over,) = queries.alerts(desk.store, kind="delivery")
    assert over["state"] == "resolved", "the channel takes notices again"


def test_what_waits_too_long_is_given_up_and_counted(desk: Desk) -> None:
    desk.see()
    desk.fail()
    desk.now += OPS.give_up_after_s
    desk.fail()
    assert desk.states() == ["expired"]
    assert queries.alerts(desk.store, kind="delivery")[0]["state"] == "open"


def test_a_notice_that_is_refused_again_and_again_blocks_no_other(desk: Desk) -> None:
    poison = desk.see(key="poison")
    for _ in range(3):
        desk.fail()
    desk.now += 1
    other = desk.see(key="other")
    assert [notice.alert for notice in desk.due().values()] == [other, poison]


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        (Routing(name="x"), ["drift", "silent"]),
        (Routing(name="x", min_severity=Severity.CRITICAL), ["silent"]),
        (Routing(name="x", kinds=(AlertKind.DRIFT,)), ["drift"]),
        (Routing(name="x", kinds=()), []),
    ],
)
def test_a_channel_is_told_what_it_asks_for(desk: Desk, routing: Routing, told: list[str]) -> None:
    desk.routing = routing
    desk.take_in()
    desk.see()
    desk.see(kind=AlertKind.SILENT, severity=Severity.CRITICAL)
    assert [str(notice.kind) for notice in desk.due().values()] == told


def test_a_new_channel_is_told_what_is_open_and_nothing_of_the_past(desk: Desk) -> None:
    over, known, still = (desk.see(key=key) for key in "abc")
    desk.resolve(over)
    desk.store.write(lambda db: alerts.change(db, known, State.ACKNOWLEDGED, desk.now, "ann"))
    desk.routing = Routing(name="new")
    assert desk.send() == [(still, "opened")]
    later = desk.see(key="d")
    assert desk.send() == [(later, "opened")]


def test_a_channel_that_was_taken_away_leaves_nothing_waiting(desk: Desk) -> None:
    desk.see()
    desk.take_in()
    desk.store.write(lambda db: deliveries.forget_others(db, ["other"], desk.now))
    assert desk.states() == ["dropped"]
    assert desk.store.rows("SELECT * FROM alert_channels") == []


def test_who_was_told_is_shown_with_the_alert(desk: Desk) -> None:
    number = desk.see()
    desk.fail()
    desk.send()
    (shown,) = queries.alert(desk.store, number)["deliveries"]
    assert (shown["channel"], shown["state"], shown["attempts"]) == ("ops", "delivered", 2)


def test_acknowledgements_go_to_who_wants_them(desk: Desk) -> None:
    desk.store.write(lambda db: deliveries.take_in(db, Routing(name="mail"), "", desk.now))
    number = desk.see()
    desk.send()
    desk.store.write(lambda db: alerts.change(db, number, State.ACKNOWLEDGED, desk.now, "ann"))
    assert desk.send() == [(number, "acknowledged")]
    desk.routing = Routing(name="mail", acknowledgements=False)
    assert desk.send() == [(number, "opened")]


def test_an_alert_of_any_kind_can_be_told(desk: Desk) -> None:
    for kind in AlertKind:
        alert = Alert(kind=kind, key="x", severity=Severity.INFO, subject="fleet", message="m")
        desk.store.write(lambda db, alert=alert: alerts.raise_alert(db, desk.now, alert))
    assert len(desk.send()) == len(AlertKind)


def test_a_notice_that_cannot_be_read_holds_up_no_other(desk: Desk) -> None:
    desk.see(devices=("not a name of a device",))
    good = desk.see(key="good")
    assert desk.send() == [(good, "opened")]
