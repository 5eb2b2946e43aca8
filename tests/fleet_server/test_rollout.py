"""The rollout engine's promises, driven by hypothesis through any order of outcomes and commands."""

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fleet_server import rollout as engine
from fleet_server import rollout_commands as commands
from fleet_server.gates.verdict import Verdict
from fleet_server.rollout_policy import MaintenanceWindow, Pace, Policy, Retry, StagePlan
from fleet_server.rollout_state import Arm, Fact, Settle, create
from tests.fleet_server.rollout_world import (
    BUNDLE,
    DEVICES,
    ONE_STAGE,
    POLICY,
    World,
    confirm_all,
    member_at,
    rollout_of,
    seated,
    ticked,
)
from wire.errors import InputError
from wire.states import SETTLED, RolloutState, StageState, UpdateState

NEWCOMERS = [f"n{i:02}" for i in range(5)]
OUTCOMES = st.sampled_from(
    [
        *(UpdateState.CONFIRMED, UpdateState.ALREADY_INSTALLED, UpdateState.ROLLED_BACK, UpdateState.FAILED),
        *(UpdateState.DOWNLOADING, UpdateState.TESTING),
    ]
)
AT_WORK = (UpdateState.QUEUED, UpdateState.DOWNLOADING, UpdateState.TESTING)
PROOF = Verdict(gate="accuracy", outcome="not_yet", reason="3 of 10 devices", need="proof")
POLICIES = st.builds(
    Policy,
    stages=st.sampled_from(
        [
            (0.1, 0.5, 1.0),
            (1.0,),
            (StagePlan(devices=("d03", "d07")), StagePlan(share=0.5, approval=True, control=0.4), 1.0),
        ]
    ),
    control=st.sampled_from([0.0, 0.2, 0.5]),
    max_failed=st.sampled_from([0.0, 0.1, 0.5]),
    deadline_s=st.just(100.0),
    soak_s=st.just(10.0),
    patience_s=st.just(60.0),
    pace=st.sampled_from(
        [None, Pace(per_minute=6), Pace(per_minute=30, factor=2, every=4, most_per_minute=90)]
    ),
    windows=st.sampled_from([(), (MaintenanceWindow(starts_in_s=20, length_s=50, every_s=100),)]),
    retry=st.builds(Retry, times=st.integers(0, 2), after_s=st.just(30.0)),
)


class RolloutMachine(RuleBasedStateMachine):
    """Devices report in any order, fail, go away and come back; operators interfere; the server is killed."""

    @initialize(policy=POLICIES)
    def begin(self, policy: Policy) -> None:
        self.world = World(policy, DEVICES)

    @rule(seconds=st.floats(0, 60))
    def tick(self, seconds: float) -> None:
        self.world.tick(seconds)

    @rule(device=st.sampled_from(DEVICES), outcome=OUTCOMES, observed=st.booleans(), passing=st.booleans())
    def report(self, device: str, outcome: UpdateState, observed: bool, passing: bool) -> None:
        world, fact = self.world, self.world.facts[device]
        waits = fact.held and fact.withdrawn_at is None
        if fact.state not in AT_WORK or device not in world.online or waits:
            return
        if fact.withdrawn_at is not None:
            outcome = UpdateState.CANCELED  # this is what devices do, see device_agent.updater
        world.change(device, state=outcome, observed=observed, reason="link_lost" if passing else "self_test")

    @rule(device=st.sampled_from(DEVICES))
    def report_late(self, device: str) -> None:
        """It was taken for dead: what it says is true."""
        fact = self.world.facts[device]
        if fact.state is UpdateState.TIMED_OUT and fact.withdrawn_at is None:
            self.world.change(device, state=UpdateState.CONFIRMED, observed=True)

    @rule(device=st.sampled_from(DEVICES))
    def fall_back(self, device: str) -> None:
        if self.world.facts[device].state in (UpdateState.CONFIRMED, UpdateState.SUCCEEDED):
            self.world.change(device, state=UpdateState.ROLLED_BACK, reason="fell_back")

    @rule(device=st.sampled_from(DEVICES))
    def observe(self, device: str) -> None:
        if self.world.facts[device].state is UpdateState.CONFIRMED:
            self.world.change_quietly(device, observed=True)

    @rule(device=st.sampled_from(DEVICES))
    def go_or_come(self, device: str) -> None:
        self.world.online ^= {device}

    @rule(device=st.sampled_from(NEWCOMERS))
    def appear(self, device: str) -> None:
        open_states = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.FINISHED)
        if device not in self.world.facts and self.world.rollout.state in open_states:
            self.world.join(device)

    @rule(device=st.sampled_from(DEVICES), well=st.booleans())
    def restored(self, device: str, well: bool) -> None:
        if self.world.facts[device].restored is UpdateState.QUEUED:
            end = UpdateState.ALREADY_INSTALLED if well else UpdateState.FAILED
            reason = "none" if well else "link_lost"
            self.world.change(device, restored=end, restore_reason=reason, restore_updated_at=self.world.now)

    @rule(verdicts=st.sampled_from([[], [PROOF]]))
    def judge(self, verdicts: list[Verdict]) -> None:
        self.world.verdicts = verdicts

    @rule(name=st.sampled_from(["approve", "pause", "resume", "skip"]))
    def command(self, name: str) -> None:
        self._command(name)

    @precondition(lambda self: self.world.rollout.current >= 1)
    @rule(name=st.sampled_from(["stop", "abort", "roll_back"]))
    def end(self, name: str) -> None:
        self._command(name)

    def _command(self, name: str) -> None:
        how = getattr(commands, name)
        try:
            after = how(self.world.rollout)
        except InputError:
            return  # not in this state
        assert how(after) == after, "a command may be repeated"
        self.world.rollout = after

    @invariant()
    def the_pace_is_kept(self) -> None:
        self.world.check_pace()

    def teardown(self) -> None:
        """Whatever happened, it comes to an end, and then nobody was lost, repeated or forgotten."""
        world = self.world
        world.online = set(world.facts)
        world.verdicts = []
        for _ in range(400):
            self._everyone_answers()
            if world.rollout.state is RolloutState.PAUSED:
                world.rollout = commands.resume(world.rollout)
            if world.rollout.state is RolloutState.RUNNING:
                world.rollout = commands.approve(world.rollout)
            actions = world.tick(15)
            facts = list(world.facts.values())
            ended = world.rollout.state in (RolloutState.FINISHED, RolloutState.STOPPED)
            if ended and not engine.unfinished(world.rollout, facts, actions):
                break
        else:
            raise AssertionError(f"does not end: {world.rollout}")
        self._check_end(facts)

    def _everyone_answers(self) -> None:
        world = self.world
        for fact in list(world.facts.values()):
            if fact.state in AT_WORK and (not fact.held or fact.withdrawn_at is not None):
                state = UpdateState.CONFIRMED if fact.withdrawn_at is None else UpdateState.CANCELED
                world.change(fact.device, state=state, observed=True)
            elif fact.state is UpdateState.CONFIRMED:
                world.change_quietly(fact.device, observed=True)
            if fact.restored is UpdateState.QUEUED:
                world.change(fact.device, restored=UpdateState.ALREADY_INSTALLED)

    def _check_end(self, facts: list[Fact]) -> None:
        world = self.world
        for fact in facts:
            assert world.told[fact.device] == fact.attempts
            if world.rollout.state is RolloutState.FINISHED:
                assert fact.state in SETTLED - {UpdateState.CONFIRMED}, "nobody is skipped"
                assert fact.attempts >= 1
            elif world.rollout.undone:
                assert fact.restored in SETTLED or fact.state in (None, UpdateState.CANCELED)
            if world.rollout.aborted:
                assert fact.state is None or fact.state in SETTLED
                ended_itself = fact.state not in (UpdateState.CANCELED, UpdateState.TIMED_OUT)
                assert ended_itself or fact.device in world.withdrawn or fact.restored is not None


TestAnyOrderOfOutcomes = RolloutMachine.TestCase


def test_a_silent_device_counts_as_failed_after_its_deadline() -> None:
    rollout = rollout_of(ONE_STAGE)
    silent = [member_at(UpdateState.DOWNLOADING)]
    assert ticked(rollout, silent, 99).state is RolloutState.RUNNING
    stopped, actions = engine.advance(rollout, silent, (), 101)
    assert stopped.state is RolloutState.ROLLING_BACK
    assert actions == [Settle("d1", UpdateState.TIMED_OUT)]
    assert stopped.reason == "deadline on 1 of 1 devices in stage 1 of 1"


def test_a_device_that_was_never_reached_is_not_late_and_holds_nobody_up() -> None:
    facts = [
        member_at(UpdateState.CONFIRMED, observed=True),
        member_at(UpdateState.QUEUED, device="away", reached_at=None),
    ]
    rollout = rollout_of(ONE_STAGE)
    for now in (1, 2, 3, 4):
        rollout = ticked(rollout, facts, now)
    assert rollout.state is RolloutState.FINISHED
    assert engine.unfinished(rollout, facts, []), "it is still expected"
    facts[1] = msgspec.structs.replace(facts[1], reached_at=10_000)
    assert engine.advance(rollout, facts, (), 10_050)[1] == [Settle("d1", UpdateState.SUCCEEDED)]
    assert Settle("away", UpdateState.TIMED_OUT) in engine.advance(rollout, facts, (), 10_101)[1]


def test_a_stage_of_which_nobody_was_reached_does_not_pass() -> None:
    rollout = rollout_of(ONE_STAGE)
    away = [member_at(UpdateState.QUEUED, reached_at=None)]
    for now in range(0, 10_000, 500):
        rollout = ticked(rollout, away, now)
    assert (rollout.state, rollout.stage.state) == (RolloutState.RUNNING, StageState.RUNNING)


def test_a_confirmed_device_that_never_reports_again_is_not_a_success() -> None:
    rollout = rollout_of(ONE_STAGE)
    mute = [member_at(UpdateState.CONFIRMED)]
    for now in (1, 2, 3, 99):
        rollout = ticked(rollout, mute, now)
        assert rollout.state is RolloutState.RUNNING
    assert ticked(rollout, mute, 101).state is RolloutState.ROLLING_BACK


def test_two_failing_stages_in_one_tick_do_not_trip_over_each_other() -> None:
    rollout = rollout_of(POLICY)
    failed = [
        msgspec.structs.replace(f, state=UpdateState.ROLLED_BACK, issued_at=0, reason="self_test")
        for f in seated(3, POLICY, DEVICES)
    ]
    stopped = ticked(rollout, failed, 1)
    assert stopped.state is RolloutState.ROLLING_BACK
    assert stopped.current == 0


def test_a_silent_device_does_not_hold_a_rollback_up() -> None:
    rolling = commands.roll_back(rollout_of(msgspec.structs.replace(ONE_STAGE, deadline_s=3600)))
    waiting = [member_at(UpdateState.CONFIRMED, restored=UpdateState.QUEUED, restore_issued_at=0)]
    assert ticked(rolling, waiting, 10).state is RolloutState.ROLLING_BACK
    assert ticked(rolling, waiting, 10_000).state is RolloutState.STOPPED


def test_a_device_that_falls_back_long_after_its_stage_still_counts() -> None:
    world = World(msgspec.structs.replace(POLICY, max_failed=0.4), DEVICES)
    while world.rollout.current == 0:
        confirm_all(world)
        world.tick(11)
    (first, _) = [f.device for f in world.facts.values() if f.stage == 0]
    assert world.facts[first].state is UpdateState.SUCCEEDED
    world.change(first, state=UpdateState.ROLLED_BACK, reason="fell_back")
    world.tick(1)
    assert world.rollout.reason == "fell_back on 1 of 2 devices in stage 1 of 3"


@pytest.mark.parametrize(("devices", "held"), [(3, 0), (4, 1), (5, 1), (10, 2), (20, 4)])
def test_a_stage_holds_its_control_arm_back_and_releases_it_at_the_end(devices: int, held: int) -> None:
    world = World(msgspec.structs.replace(ONE_STAGE, control=0.2), DEVICES[:devices])
    control = {f.device for f in world.facts.values() if f.arm is Arm.CONTROL}
    assert len(control) == held
    while world.rollout.state is not RolloutState.FINISHED:
        if world.rollout.stage.kind != "release":
            assert not control & world.told.keys()
        confirm_all(world)
        world.tick(1)
    assert set(world.told.values()) == {1}
    assert len(world.told) == devices
    assert {f.state for f in world.facts.values()} == {UpdateState.SUCCEEDED}


def test_a_fleet_of_one_goes_through_its_empty_stages() -> None:
    facts = seated(1, POLICY, ["only"])
    done = [msgspec.structs.replace(f, state=UpdateState.ALREADY_INSTALLED, issued_at=0) for f in facts]
    rollout = rollout_of(POLICY)
    for now in range(0, 100, 11):
        rollout = ticked(rollout, done, now)
    assert rollout.state is RolloutState.FINISHED


def test_a_gate_that_fails_undoes_the_rollout_in_any_state() -> None:
    fail = Verdict(gate="latency", outcome="fail", reason="p95 grew by 31 %")
    facts = [member_at(UpdateState.CONFIRMED, observed=True)]
    running = rollout_of(ONE_STAGE)
    for rollout in (running, commands.pause(running), commands.skip(running), ticked(running, facts, 1)):
        stopped = ticked(rollout, facts, 2, fail)
        assert (stopped.state, stopped.reason) == (RolloutState.ROLLING_BACK, "latency: p95 grew by 31 %")


def test_without_proof_a_stage_waits_and_then_asks_for_attention() -> None:
    policy = msgspec.structs.replace(ONE_STAGE, patience_s=60)
    facts = [member_at(UpdateState.CONFIRMED, observed=True)]
    rollout = rollout_of(policy)
    for now in (1, 2, 3, 61):
        rollout = ticked(rollout, facts, now, PROOF)
        assert (rollout.state, rollout.current) == (RolloutState.RUNNING, 0)
    rollout = ticked(rollout, facts, 64, PROOF)
    assert rollout.state is RolloutState.PAUSED
    assert rollout.reason == "stage 1 of 1 needs attention, no proof from accuracy: 3 of 10 devices"
    again = commands.resume(rollout)
    for now in (65, 120):
        again = ticked(again, facts, now, PROOF)
        assert again.state is RolloutState.RUNNING, "it waits anew"
    assert ticked(again, facts, 126, PROOF).state is RolloutState.PAUSED
    assert ticked(commands.skip(rollout), facts, 65, PROOF).state is RolloutState.FINISHED
    proved = msgspec.structs.replace(PROOF, outcome="pass")
    assert ticked(commands.resume(rollout), facts, 65, proved).state is RolloutState.FINISHED


def test_an_aborted_device_is_withdrawn_and_a_confirmed_one_is_left() -> None:
    facts = [
        member_at(UpdateState.TESTING, device="a"),
        member_at(UpdateState.QUEUED, device="b"),
        member_at(UpdateState.TIMED_OUT, device="c"),
        member_at(UpdateState.CONFIRMED, device="d"),
    ]
    running = rollout_of(ONE_STAGE)
    aborted, actions = engine.advance(commands.abort(running), facts, (), 1)
    assert sorted(a.device for a in actions) == ["a", "b", "c"]
    assert aborted.state is RolloutState.STOPPED
    _, actions = engine.advance(commands.stop(running), facts, (), 1)
    assert [a.device for a in actions] == ["b"], "who has begun may finish"


def test_a_rollback_leaves_devices_alone_that_another_rollout_has_taken() -> None:
    rolling = commands.roll_back(rollout_of(ONE_STAGE))
    facts = [member_at(UpdateState.SUCCEEDED), member_at(UpdateState.SUCCEEDED, device="taken", away=True)]
    assert [a.device for a in engine.advance(rolling, facts, (), 1)[1]] == ["d1"]


def test_a_device_that_confirms_after_the_rollback_is_restored_too() -> None:
    stopped = msgspec.structs.replace(rollout_of(ONE_STAGE), state=RolloutState.STOPPED, undone=True)
    assert [a.device for a in engine.advance(stopped, [member_at(UpdateState.CONFIRMED)], (), 1)[1]] == ["d1"]


def test_an_operator_cannot_resume_what_has_ended() -> None:
    finished = msgspec.structs.replace(create(1, BUNDLE, POLICY), state=RolloutState.FINISHED)
    with pytest.raises(InputError, match="finished"):
        commands.resume(finished)
