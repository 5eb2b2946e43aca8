"""A whole rollout through the server's database, engine and gates."""

from tinyfleet.bench.engine import run


def test_everybody_is_told_exactly_once_and_the_silent_time_out() -> None:
    found = run(1000, 2, lambda _line: None)
    assert (found.state, found.reason) == ("finished", "all stages passed")
    assert found.told_once == found.devices == found.assignments == 1000
    assert found.states == {"succeeded": 999, "timed_out": 1}
    assert found.silent == 1
    assert found.ticks > found.looks >= 4
    assert found.decisions >= 4, "one a stage at least"
