"""Limits: what is broken, by how much, and in words."""

from trainer.search.measured import Limits, Measured, OnBoard, excess, objection

SMALL = OnBoard(ram_bytes=4000, flash_bytes=20_000, latency_ms=5.0)
MEASURED = Measured(
    boards={"one": SMALL, "two": OnBoard(ram_bytes=4000, flash_bytes=20_000, latency_ms=20.0)}
)


def test_the_worst_board_counts():
    assert MEASURED.cost("latency") == 20.0
    assert MEASURED.cost("ram") == 4000


def test_without_limits_all_that_runs_is_feasible():
    assert objection(MEASURED, Limits()) == ""
    assert excess(MEASURED, Limits()) == {"runs one": 0.0, "runs two": 0.0}


def test_a_broken_limit_is_named_with_its_board():
    limits = Limits(max_latency_ms=10.0, max_ram_bytes=4000)
    assert objection(MEASURED, limits) == "two: latency of 20 ms, at most 10 allowed"
    broken = {name: value for name, value in excess(MEASURED, limits).items() if value > 0}
    assert broken == {"latency two": 1.0}


def test_what_is_not_known_does_not_pass_for_little():
    unknown = Measured(boards={"pi": OnBoard(ram_bytes=1, flash_bytes=1, latency_of="no results")})
    assert unknown.cost("latency") is None
    assert objection(unknown, Limits(known=("latency",))) == "pi: latency is not known (no results)"
    assert excess(unknown, Limits(known=("latency",)))["latency pi"] > 0
    assert objection(unknown, Limits(known=("ram",), max_flash_bytes=1)) == ""


def test_a_board_that_does_not_run_it_is_in_the_way():
    refused = Measured(boards={"one": OnBoard(reason="does not link", latency_ms=1.0)})
    assert objection(refused, Limits()) == "one: does not link"
    assert excess(refused, Limits())["runs one"] == 1.0
