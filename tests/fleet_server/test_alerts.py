"""Alerts in the database: one a cause, with who did what, and a notice of it in the same transaction."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from sqlite_utils import Database

from fleet_server import alerts, queries
from fleet_server.alerts import Alert, AlertKind, Severity, State
from fleet_server.notify import outbox
from fleet_server.schema import MIGRATIONS
from fleet_server.store import Store
from wire.errors import InputError, NotFoundError
from wire.messages import AlertNotice, decode

ALERT = Alert(
    kind=AlertKind.DRIFT, key="watch/inputs", severity=Severity.WARNING, subject="fleet",
    message="two devices drift", devices=("b", "a"), since=50.0, changed="x moved", advice="see NUMBER",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "fleet.db")
    yield opened
    opened.close()


def see(store: Store, now: float, alert: Alert = ALERT) -> int:
    return store.write(lambda db: alerts.raise_alert(db, now, alert))


def notices(store: Store) -> list[AlertNotice]:
    rows = store.rows("SELECT body FROM alert_notices ORDER BY id")
    return [decode(AlertNotice, row["body"].encode()) for row in rows]


def log(store: Store) -> list[str]:
    return [e["message"] for e in reversed(queries.events(store)) if e["kind"] == "alert"]


def test_the_same_cause_is_one_row_however_often_it_is_seen(store: Store) -> None:
    first = see(store, 100.0)
    assert [see(store, 100.0 + i) for i in range(1, 50)] == [first] * 49
    (row,) = queries.alerts(store)
    assert (row["seen"], row["at"], row["last_at"], row["since"]) == (50, 100.0, 149.0, 50.0)
    assert (row["devices"], row["device_count"]) == (["a", "b"], 2)
    assert [notice.event for notice in notices(store)] == ["opened"], "told once"
    assert see(store, 200.0, replace(ALERT, key="watch/answers")) != first


def test_the_database_itself_refuses_a_second_unresolved_row(store: Store) -> None:
    see(store, 1.0)
    double = "INSERT INTO alerts (at, severity, subject, message, kind, key) VALUES (1, 'w', '', '', ?, ?)"
    with pytest.raises(sqlite3.IntegrityError):
        store.write(lambda db: db.execute(double, (ALERT.kind, ALERT.key)))


def test_the_notice_tells_which_devices_since_when_what_changed_and_what_to_do(store: Store) -> None:
    number = see(store, 100.0)
    (notice,) = notices(store)
    assert (notice.alert, notice.devices, notice.device_count) == (number, ("a", "b"), 2)
    assert (notice.since_unix_s, notice.changed, notice.advice) == (50.0, "x moved", f"see {number}")
    many = replace(ALERT, devices=tuple(f"mcu-{i:03}" for i in range(500)))
    see(store, 200.0, many)
    told = notices(store)[-1]
    assert (len(told.devices), told.device_count) == (32, 500)


def test_updates_that_follow_each_other_closely_are_one_notice_with_the_last_state(store: Store) -> None:
    see(store, 100.0)
    for i in range(300):
        see(store, 101.0 + i, replace(ALERT, devices=tuple(f"d{j}" for j in range(i + 1))))
    told = notices(store)
    assert [n.event for n in told[:2]] == ["opened", "updated"]
    assert len(told) <= 2 + 300 / outbox.MERGE_WITHIN_S
    assert told[-1].device_count == 300
    assert len({n.id for n in told}) == len(told)


def test_who_did_what_is_in_the_activity_log(store: Store) -> None:
    number = see(store, 1.0)
    store.write(lambda db: alerts.change(db, number, State.ACKNOWLEDGED, 2.0, "ann", "on it"))
    store.write(lambda db: alerts.change(db, number, State.ACKNOWLEDGED, 3.0, "bob"))
    see(store, 4.0, replace(ALERT, severity=Severity.CRITICAL))
    store.write(lambda db: alerts.resolve(db, 5.0, ALERT.kind, ALERT.key, "it went back"))
    see(store, 6.0)
    assert log(store) == [
        "opened: two devices drift (a, b)",
        "acknowledged by ann: on it",
        "escalated: two devices drift",
        "resolved by the server: it went back",
        "reopened: two devices drift",
    ]
    with pytest.raises(NotFoundError):
        store.write(lambda db: alerts.change(db, 99, State.RESOLVED, 1.0, "ann"))


def test_a_change_that_is_undone_leaves_neither_alert_nor_notice(store: Store) -> None:
    def fail(db: Database) -> None:
        alerts.raise_alert(db, 1.0, ALERT)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write(fail)
    assert (queries.alerts(store), notices(store), log(store)) == ([], [], [])


def test_text_of_any_length_fits_the_notice(store: Store) -> None:
    long = "x" * 5000
    see(store, 1.0, replace(ALERT, key=long, subject=long, message=long, changed=long, advice=long))
    see(store, 2.0, replace(ALERT, key=long, subject=long, message=long, changed=long, advice=long))
    (notice,) = notices(store)
    assert len(notice.message) == 1000


def test_old_notices_are_given_up_except_the_newest_of_what_is_not_resolved(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KEPT", 3)
    open_one = see(store, 1.0)
    for i in range(10):
        number = see(store, 2.0 + i, replace(ALERT, key=str(i)))
        store.write(lambda db, n=number: alerts.change(db, n, State.RESOLVED, 50.0, "ann"))
    kept = store.rows("SELECT alert FROM alert_notices ORDER BY id")
    assert len(kept) == 4
    assert kept[0]["alert"] == open_one


def test_alerts_of_the_former_release_are_read_and_can_be_resolved(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = Database(sqlite3.connect(path, isolation_level=None))
    MIGRATIONS.apply(old, stop_before="m010_alerts")
    old.execute(
        "INSERT INTO alerts (at, severity, subject, message) VALUES (5, 'critical', 'rollout 3', 'stopped')"
    )
    old.close()
    store = Store(path)
    try:
        (row,) = queries.open_alerts(store)
        assert (row["id"], row["severity"], row["subject"], row["since"]) == (1, "critical", "rollout 3", 5.0)
        store.write(lambda db: alerts.change(db, 1, State.RESOLVED, 9.0, "ann"))
        assert queries.open_alerts(store) == []
    finally:
        store.close()


def test_the_api_lists_shows_and_changes_alerts(client: httpx.Client, fleet) -> None:
    number = see(fleet.store, 100.0)
    see(fleet.store, 100.0, replace(ALERT, kind=AlertKind.OUTLIER))
    (drift,) = client.get("/api/v1/alerts", params={"kind": "drift"}).json()
    old_keys = {"id", "at", "severity", "subject", "message", "state"}
    assert old_keys <= drift.keys()
    assert client.get("/api/v1/alerts", params={"limit": 1}).json()[0]["kind"] == "outlier"
    assert client.get("/api/v1/alerts", params={"state": "later"}).status_code == 422
    measured = 'tinyfleet_alerts{kind="drift",severity="warning",state="open"} 1.0'
    assert measured in client.get("/metrics").text
    url = f"/api/v1/alerts/{number}"
    known = client.post(f"{url}/acknowledge", json={"note": "on it"}).json()
    assert (known["state"], known["changed_by"], known["note"]) == ("acknowledged", "admin", "on it")
    assert client.post(f"{url}/resolve").json()["state"] == "resolved"
    assert client.post(f"{url}/resolve").json()["state"] == "resolved"
    again = client.post(f"{url}/acknowledge")
    assert (again.status_code, again.json()["code"]) == (400, "resolved")
    shown = client.get(url).json()
    assert [e["message"] for e in shown["history"]] == [
        "resolved by admin", "acknowledged by admin: on it", "opened: two devices drift (a, b)",
    ]  # fmt: skip
    assert shown["deliveries"] == []
    assert client.get("/api/v1/alerts/99").status_code == 404


def test_an_acknowledged_alert_cannot_be_acknowledged_when_it_is_over(store: Store) -> None:
    number = see(store, 1.0)
    store.write(lambda db: alerts.change(db, number, State.RESOLVED, 2.0, "ann"))
    with pytest.raises(InputError, match="is resolved"):
        store.write(lambda db: alerts.change(db, number, State.ACKNOWLEDGED, 3.0, "ann"))
