"""Telemetry that waits in RAM is bounded, and keeps its order."""

from firmware_sim.ram_outbox import RamOutbox


def test_it_is_first_in_first_out_and_forgets_what_was_acknowledged() -> None:
    outbox = RamOutbox(max_entries=10, max_bytes=1000)
    for text in (b"a", b"b", b"c"):
        outbox.add(text, historical=False)
    first, second = outbox.oldest(2)
    assert (first.payload, second.payload) == (b"a", b"b")
    outbox.remove([first.id, 99])
    outbox.mark_historical()
    outbox.add(b"d", historical=False)
    assert [(e.payload, e.historical) for e in outbox.oldest(9)] == [
        (b"b", True), (b"c", True), (b"d", False),
    ]  # fmt: skip


def test_the_oldest_make_room_and_are_counted() -> None:
    outbox = RamOutbox(max_entries=3, max_bytes=10)
    for text in (b"1111", b"2222", b"33", b"4"):
        outbox.add(text, historical=False)
    assert [e.payload for e in outbox.oldest(9)] == [b"2222", b"33", b"4"]
    outbox.add(b"5" * 8, historical=False)
    assert [e.payload for e in outbox.oldest(9)] == [b"4", b"5" * 8]
    assert (outbox.dropped, len(outbox)) == (3, 2)
