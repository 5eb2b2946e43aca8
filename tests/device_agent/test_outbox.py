from pathlib import Path

import pytest

from device_agent.outbox import Outbox
from wire.errors import StoreError


def test_entries_survive_a_restart_in_order_and_are_historical_then(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite", 10, 1000)
    for payload in (b"1", b"2", b"3"):
        outbox.add(payload, historical=False)
    outbox.remove([outbox.oldest(1)[0].id])
    assert [(e.payload, e.historical) for e in outbox.oldest(9)] == [(b"2", False), (b"3", False)]
    outbox.close()
    outbox = Outbox(tmp_path / "o.sqlite", 10, 1000)
    assert [(e.payload, e.historical) for e in outbox.oldest(9)] == [(b"2", True), (b"3", True)]
    assert len(outbox) == 2


def test_the_oldest_make_room_and_are_counted(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite", 3, 10)
    for number in range(5):
        outbox.add(str(number).encode(), historical=False)
    assert [e.payload for e in outbox.oldest(9)] == [b"2", b"3", b"4"]
    assert outbox.dropped == 2
    outbox.add(b"x" * 9, historical=False)
    assert [e.payload for e in outbox.oldest(9)] == [b"4", b"x" * 9]
    assert (len(outbox), outbox.dropped) == (2, 4)


def test_removing_what_had_to_make_room_is_harmless(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite", 1, 10)
    outbox.add(b"1", historical=False)
    gone = outbox.oldest(1)[0].id
    outbox.add(b"2", historical=False)
    outbox.remove([gone])
    assert [e.payload for e in outbox.oldest(9)] == [b"2"]
    assert len(outbox) == 1


def test_a_file_that_is_no_database_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "o.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="outbox"):
        Outbox(tmp_path / "o.sqlite", 1, 10)
