"""Alerts, whatever order of things happens to them: one a cause, nothing worse is hidden, nothing flaps."""

from itertools import pairwise

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from fleet_server import alert_state
from fleet_server.alert_state import REOPEN_WITHIN_S, Alert, Standing, Word
from wire.errors import InputError
from wire.states import AlertEvent, AlertKind, AlertState, Severity

ALERT = Alert(
    kind=AlertKind.DRIFT, key="watch/inputs", severity=Severity.WARNING, subject="fleet", message="m"
)
DEVICES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(tuple)


class Life(RuleBasedStateMachine):
    """One cause, seen and seen to; ``now`` only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.all: list[Standing] = []
        self.told: list[tuple[float, AlertEvent]] = []
        self.worst = Severity.INFO

    @property
    def last(self) -> Standing | None:
        return self.all[-1] if self.all else None

    def _apply(self, change: alert_state.Change) -> None:
        if change.event is AlertEvent.OPENED:
            self.all.append(change.standing)
        else:
            self.all[-1] = change.standing
        if change.event is not None:
            self.told.append((self.now, change.event))

    @rule(seconds=st.sampled_from([0.0, 1.0, 59.0, 1800.0, REOPEN_WITHIN_S, 7 * 86400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(severity=st.sampled_from(list(Severity)), devices=DEVICES, changed=st.sampled_from(["x", "y"]))
    def seen(self, severity: Severity, devices: tuple[str, ...], changed: str) -> None:
        before = self.last
        alert = replace(ALERT, severity=severity, devices=devices, changed=changed)
        change = alert_state.see(before, alert, self.now)
        fresh = before is None or before.state is AlertState.RESOLVED
        self.worst = severity if fresh else max(self.worst, severity, key=lambda s: s.rank)
        self._apply(change)
        after = change.standing
        assert after.alert.severity is self.worst
        assert after.alert.devices == tuple(sorted(set(devices)))
        assert set(change.gained) <= set(devices)
        if change.event is AlertEvent.OPENED:
            assert after.count == 1
            assert before is None or self.now - before.word.at >= REOPEN_WITHIN_S
        else:
            assert after.count == before.count + 1
            assert after.opened_at == before.opened_at
        acknowledged = before is not None and before.state is AlertState.ACKNOWLEDGED
        kept = acknowledged and severity.rank <= before.alert.severity.rank
        assert after.state is (AlertState.ACKNOWLEDGED if kept else AlertState.OPEN)
        if before is not None and set(change.gained):
            assert change.event is not None, "more devices, and nobody is told"

    @rule()
    def acknowledged(self) -> None:
        if self.last is None:
            return
        if self.last.state is AlertState.RESOLVED:
            with pytest.raises(InputError, match="is resolved"):
                alert_state.acknowledge(self.last, Word(self.now, "ann"))
            return
        before = self.last
        change = alert_state.acknowledge(before, Word(self.now, "ann"))
        assert (change.event is None) == (before.state is AlertState.ACKNOWLEDGED)
        self._apply(change)

    @rule()
    def resolved(self) -> None:
        if self.last is not None:
            before = self.last
            change = alert_state.resolve(before, Word(self.now, "bob"))
            assert (change.event is None) == (before.state is AlertState.RESOLVED)
            self._apply(change)

    @invariant()
    def one_at_most_is_unresolved_and_it_is_the_last(self) -> None:
        assert all(each.state is AlertState.RESOLVED for each in self.all[:-1])

    @invariant()
    def a_word_belongs_to_a_state_that_a_word_made(self) -> None:
        for each in self.all:
            assert (each.word is None) == (each.state is AlertState.OPEN)

    @invariant()
    def new_alerts_are_as_far_apart_as_promised(self) -> None:
        opened = [at for at, event in self.told if event is AlertEvent.OPENED]
        assert all(b - a >= REOPEN_WITHIN_S for a, b in pairwise(opened))


TestLife = Life.TestCase


def test_what_comes_back_soon_is_the_same_alert_and_later_another_one() -> None:
    first = alert_state.see(None, ALERT, 100.0).standing
    over = alert_state.resolve(first, Word(200.0)).standing
    soon = alert_state.see(over, ALERT, 200.0 + REOPEN_WITHIN_S - 1)
    assert (soon.event, soon.standing.reopened, soon.standing.opened_at) == (AlertEvent.REOPENED, 1, 100.0)
    late = alert_state.see(over, ALERT, 200.0 + REOPEN_WITHIN_S)
    assert (late.event, late.standing.reopened) == (AlertEvent.OPENED, 0)


def test_an_acknowledged_alert_stays_so_until_it_gets_worse() -> None:
    known = alert_state.acknowledge(alert_state.see(None, ALERT, 1.0).standing, Word(2.0, "ann")).standing
    more = alert_state.see(known, replace(ALERT, devices=("a",)), 3.0)
    assert (more.event, more.standing.state) == (AlertEvent.UPDATED, AlertState.ACKNOWLEDGED)
    worse = alert_state.see(more.standing, replace(ALERT, severity=Severity.CRITICAL), 4.0)
    assert (worse.event, worse.standing.state) == (AlertEvent.ESCALATED, AlertState.OPEN)
    better = alert_state.see(worse.standing, ALERT, 5.0)
    assert better.standing.alert.severity is Severity.CRITICAL, "how bad it was is not forgotten"


def test_other_figures_in_the_message_are_no_news() -> None:
    standing = alert_state.see(None, ALERT, 1.0).standing
    same = alert_state.see(standing, replace(ALERT, message="m: 3.2"), 2.0)
    assert (same.event, same.standing.alert.message, same.standing.count) == (None, "m: 3.2", 2)
