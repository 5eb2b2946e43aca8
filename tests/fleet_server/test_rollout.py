"""The rollout engine's promises, driven by hypothesis through any order of device outcomes."""

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fleet_server import rollout as engine
from fleet_server.rollout import Assign, Fact, Policy, Restore, Settle
from wire.errors import InputError
from wire.messages import ModelRef
from wire.states import UNSUCCESSFUL, RolloutState, StageState, UpdateState

BUNDLE = ModelRef(model="watch", version=2, digest="a" * 64)
POLICY = Policy(stages=(0.1, 0.5, 1.0), max_failed=0.1, deadline_s=100, soak_s=10)
DEVICES = [f"d{i:02}" for i in range(20)]
OUTCOMES = st.sampled_from(
    [UpdateState.CONFIRMED, UpdateState.ALREADY_INSTALLED, UpdateState.ROLLED_BACK, UpdateState.FAILED]
)


class RolloutMachine(RuleBasedStateMachine):
    """Devices report in any order, fall silent, or fail; the engine is ticked at any time."""

    @initialize()
    def begin(self) -> None:
        members = engine.plan(7, DEVICES, POLICY)
        self.stage_of = dict(members)
        self.facts = {d: Fact(device=d, stage=s) for d, s in members}
        self.rollout = engine.start(engine.create(7, BUNDLE, POLICY, members))
        self.now = 1000.0

    def _change(self, device: str, **changes: object) -> None:
        self.facts[device] = msgspec.structs.replace(self.facts[device], **changes)

    @rule(seconds=st.floats(0, 60))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        before = self.rollout
        self.rollout, actions = engine.advance(before, list(self.facts.values()), self.now)
        for action in actions:
            if isinstance(action, Assign):
                assert before.state is RolloutState.RUNNING
                assert self.stage_of[action.device] == before.current
                self._change(action.device, state=UpdateState.QUEUED, issued_at=self.now)
            elif isinstance(action, Restore):
                assert self.facts[action.device].state is not None, "only exposed devices are restored"
                self._change(action.device, restored=UpdateState.QUEUED, restore_issued_at=self.now)
            else:
                assert isinstance(action, Settle)
                self._change(action.device, state=action.state)
        again, repeated = engine.advance(self.rollout, list(self.facts.values()), self.now)
        if self.rollout == before and not actions:
            assert (again, repeated) == (self.rollout, []), "a tick without news changes nothing"

    @rule(device=st.sampled_from(DEVICES), outcome=OUTCOMES, observed=st.booleans())
    def report(self, device: str, outcome: UpdateState, observed: bool) -> None:
        if self.facts[device].state is UpdateState.QUEUED:
            self._change(device, state=outcome, observed=observed, reason="self_test")

    @rule(device=st.sampled_from(DEVICES))
    def observe(self, device: str) -> None:
        if self.facts[device].state is UpdateState.CONFIRMED:
            self._change(device, observed=True)

    @rule(device=st.sampled_from(DEVICES))
    def restored(self, device: str) -> None:
        if self.facts[device].restored is UpdateState.QUEUED:
            self._change(device, restored=UpdateState.ALREADY_INSTALLED)

    @precondition(lambda self: self.rollout.state is RolloutState.RUNNING)
    @rule()
    def pause(self) -> None:
        self.rollout = engine.pause(self.rollout)

    @precondition(lambda self: self.rollout.state is RolloutState.PAUSED)
    @rule()
    def resume(self) -> None:
        self.rollout = engine.resume(self.rollout)

    @invariant()
    def later_stages_are_untouched(self) -> None:
        for fact in self.facts.values():
            assert fact.state is None or fact.stage <= self.rollout.current

    @invariant()
    def a_passed_stage_has_few_failures_and_was_observed(self) -> None:
        for index, stage in enumerate(self.rollout.stages):
            members = [f for f in self.facts.values() if f.stage == index]
            if stage.state is StageState.PASSED:
                good = {UpdateState.SUCCEEDED, UpdateState.ALREADY_INSTALLED}
                assert all(f.state in good or f.state in UNSUCCESSFUL for f in members)
                failed = sum(f.state in UNSUCCESSFUL for f in members)
                assert failed <= POLICY.max_failed * len(members)

    @invariant()
    def a_finished_rollout_passed_every_stage(self) -> None:
        if self.rollout.state is RolloutState.FINISHED:
            assert all(stage.state is StageState.PASSED for stage in self.rollout.stages)


TestAnyOrderOfOutcomes = RolloutMachine.TestCase


def _ticked(rollout: engine.Rollout, facts: list[Fact], now: float) -> engine.Rollout:
    return engine.advance(rollout, facts, now)[0]


def test_a_silent_device_counts_as_failed_after_its_deadline() -> None:
    members = [("d1", 0)]
    rollout = engine.start(engine.create(1, BUNDLE, Policy(stages=(1.0,), deadline_s=100), members))
    silent = [Fact(device="d1", stage=0, state=UpdateState.DOWNLOADING, issued_at=0)]
    assert _ticked(rollout, silent, 99).state is RolloutState.RUNNING
    stopped, actions = engine.advance(rollout, silent, 101)
    assert stopped.state is RolloutState.ROLLING_BACK
    assert actions == [Settle("d1", UpdateState.TIMED_OUT)]
    assert stopped.reason == "deadline on 1 of 1 devices in stage 1 of 1"


def test_a_confirmed_device_that_never_reports_again_is_not_a_success() -> None:
    members = [("d1", 0)]
    rollout = engine.start(engine.create(1, BUNDLE, Policy(stages=(1.0,), deadline_s=100, soak_s=0), members))
    mute = [Fact(device="d1", stage=0, state=UpdateState.CONFIRMED, issued_at=0, observed=False)]
    for now in (1, 2, 3, 99):
        rollout = _ticked(rollout, mute, now)
        assert rollout.state is RolloutState.RUNNING
    assert _ticked(rollout, mute, 101).state is RolloutState.ROLLING_BACK


def test_two_failing_stages_in_one_tick_do_not_trip_over_each_other() -> None:
    members = engine.plan(3, DEVICES, POLICY)
    rollout = engine.start(engine.create(3, BUNDLE, POLICY, members))
    failed = [
        Fact(device=d, stage=s, state=UpdateState.ROLLED_BACK, issued_at=0, reason="self_test")
        for d, s in members
    ]
    stopped = _ticked(rollout, failed, 1)
    assert stopped.state is RolloutState.ROLLING_BACK
    assert stopped.current == 0


def test_a_silent_device_does_not_hold_a_rollback_up() -> None:
    members = [("d1", 0)]
    rolling = engine.roll_back(engine.start(engine.create(1, BUNDLE, Policy(stages=(1.0,)), members)))
    waiting = [
        Fact(
            device="d1",
            stage=0,
            state=UpdateState.CONFIRMED,
            restored=UpdateState.QUEUED,
            restore_issued_at=0,
        )
    ]
    assert _ticked(rolling, waiting, 10).state is RolloutState.ROLLING_BACK
    assert _ticked(rolling, waiting, 10_000).state is RolloutState.STOPPED


def test_stage_shares_cover_every_device_once_and_reproduce() -> None:
    plan = engine.plan(42, DEVICES, POLICY)
    assert sorted(device for device, _ in plan) == DEVICES
    assert [sum(s == i for _, s in plan) for i in range(3)] == [2, 8, 10]
    assert plan == engine.plan(42, reversed(DEVICES), POLICY)
    assert plan != engine.plan(43, DEVICES, POLICY)


def test_a_fleet_of_one_goes_through_its_empty_stages() -> None:
    members = engine.plan(1, ["only"], POLICY)
    rollout = engine.start(engine.create(1, BUNDLE, POLICY, members))
    done = [Fact(device="only", stage=0, state=UpdateState.ALREADY_INSTALLED, issued_at=0)]
    for now in range(0, 100, 11):
        rollout = _ticked(rollout, done, now)
    assert rollout.state is RolloutState.FINISHED


@pytest.mark.parametrize("stages", [(0.5,), (0.5, 0.1, 1.0), (1.0, 1.0), ()])
def test_a_policy_whose_stages_make_no_sense_is_refused(stages: tuple[float, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"stages": stages}, Policy)


def test_an_operator_cannot_resume_what_has_ended() -> None:
    finished = msgspec.structs.replace(
        engine.create(1, BUNDLE, POLICY, [("d", 0)]), state=RolloutState.FINISHED
    )
    with pytest.raises(InputError, match="finished"):
        engine.resume(finished)
