"""Each report is stored once, whatever the network does to it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server import queries, reports
from fleet_server.reports import Outcome
from fleet_server.store import Store
from wire.messages import Hardware, ModelRef, Reported, Status, Telemetry, encode
from wire.states import NumericsFamily, Presence, UpdateState

BOOT1, BOOT2 = "00000001-aaaaaaaa", "00000002-bbbbbbbb"
MODEL = ModelRef(model="watch", version=1, digest="a" * 64)
HARDWARE = Hardware(
    target="cortex-m4",
    board="nano33ble",
    numerics=NumericsFamily.TFLM,
    runtime="t",
    ram_bytes=1,
    flash_bytes=1,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "fleet.db")
    yield opened
    opened.close()


def status(state: Presence, session: int, boot: str = BOOT1) -> Status:
    return Status(device="d1", state=state, session=session, boot=boot)


def reported(seq: int, state: UpdateState, boot: str = BOOT1) -> Reported:
    return Reported(
        device="d1", boot=boot, seq=seq, sequence=1, attempt="x-1", state=state, running=MODEL,
        slots={"a": MODEL, "b": None}, downloaded_bytes=0, hardware=HARDWARE,
    )  # fmt: skip


def window(seq: int, boot: str = BOOT1, correct: int = 3) -> Telemetry:
    return Telemetry(
        device="d1", boot=boot, seq=seq, attempt="x-1", model=MODEL, numerics=NumericsFamily.TFLM,
        at_unix_s=None, duration_s=1.0, n=4, latency_clock="host", latency={40: 3, 41: 1}, latency_sum_us=300,
        labelled=4, correct=correct, classes=[4], confidence=[0] * 9 + [4],
    )  # fmt: skip


def put(store: Store, message: Status | Reported | Telemetry) -> Outcome:
    if isinstance(message, Status):
        return store.write(lambda db: reports.store_status(db, message, 1.0))
    if isinstance(message, Reported):
        return store.write(lambda db: reports.store_reported(db, message, 1.0))
    return store.write(lambda db: reports.store_telemetry(db, message, encode(message), 1.0))


def presence(store: Store) -> str:
    return str(queries.device(store, "d1")["presence"])


def test_a_late_will_cannot_mark_a_new_session_offline(store: Store) -> None:
    put(store, status(Presence.ONLINE, 1))
    put(store, status(Presence.ONLINE, 2))
    assert put(store, status(Presence.OFFLINE, 1)) is Outcome.STALE
    assert presence(store) == "online"
    assert put(store, status(Presence.OFFLINE, 2)) is Outcome.STORED
    assert presence(store) == "offline"


def test_a_device_that_lost_its_counters_is_believed_again(store: Store) -> None:
    put(store, status(Presence.ONLINE, 9, BOOT2))
    put(store, reported(500, UpdateState.CONFIRMED, BOOT2))
    assert put(store, reported(1, UpdateState.FAILED, BOOT1)) is Outcome.STALE
    put(store, status(Presence.ONLINE, 1, BOOT1))
    assert put(store, reported(1, UpdateState.FAILED, BOOT1)) is Outcome.STORED


@given(st.permutations(range(6)))
def test_reports_in_any_order_end_in_the_newest_state(tmp_path_factory, order: list[int]) -> None:
    states = list(UpdateState)[:6]
    store = Store(tmp_path_factory.mktemp("db") / "fleet.db")
    try:
        for seq in order:
            put(store, reported(seq, states[seq]))
        assert queries.device(store, "d1")["state"] == states[5]
    finally:
        store.close()


def test_a_window_counts_once_however_often_it_arrives(store: Store) -> None:
    store.write(
        lambda db: db.execute("INSERT INTO versions VALUES (?, 'watch', 1, '', '', 0)", (MODEL.digest,))
    )
    assert put(store, window(7)) is Outcome.STORED
    assert put(store, window(7, correct=4)) is Outcome.DUPLICATE
    assert put(store, window(7, BOOT2)) is Outcome.STORED
    (score,) = queries.scores(store)
    assert (score["windows"], score["n"], score["correct"]) == (2, 8, 6)
    (latency,) = queries.latencies(store)
    assert latency["n"] == 8
    assert msgspec.convert(queries.windows(store)[0]["window"], Telemetry, str_keys=True) == window(7)


def test_quarantine_is_bounded(store: Store) -> None:
    def fill(db) -> None:
        for index in range(1100):
            reports.quarantine(db, "t", "malformed", str(index), b"x" * 10_000, 0.0)

    store.write(fill)
    rows = store.rows("SELECT message, length(payload) AS size FROM quarantine ORDER BY id")
    assert len(rows) == 1000
    assert rows[-1] == {"message": "1099", "size": 4096}
