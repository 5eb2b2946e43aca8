"""A fleet without a server: what the engine asks for is done to facts, and checked while it is done."""

from collections import Counter

import msgspec

from fleet_server import pace
from fleet_server import rollout as engine
from fleet_server.draw import Candidate, draw, draw_late
from fleet_server.gates.verdict import Verdict
from fleet_server.member import late, members, unobserved
from fleet_server.opening import opening_at
from fleet_server.rollout_commands import start
from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import (
    Arm,
    Assign,
    Fact,
    Join,
    Reschedule,
    Restore,
    Rollout,
    Settle,
    Withdraw,
    create,
)
from wire.messages import ModelRef
from wire.states import SETTLED, UNSUCCESSFUL, RolloutState, StageState, UpdateState

BUNDLE = ModelRef(model="watch", version=2, digest="a" * 64)
TRANSIENT = {"link_lost", "storage"}
POLICY = Policy(stages=(0.1, 0.5, 1.0), control=0.0, max_failed=0.1, deadline_s=100, soak_s=10)
ONE_STAGE = Policy(stages=(1.0,), control=0.0, deadline_s=100, soak_s=0)
DEVICES = [f"d{i:02}" for i in range(20)]


def seated(number: int, policy: Policy, devices: list[str], restorable: bool = True) -> list[Fact]:
    """Facts of devices that were drawn into stages and arms."""
    candidates = [Candidate(device, restorable, frozenset()) for device in devices]
    seats = draw(number, policy, candidates)
    return [Fact(device=s.device, stage=s.stage, arm=s.arm, restorable=restorable) for s in seats]


class World:
    """One rollout over scripted devices."""

    def __init__(self, policy: Policy, devices: list[str], number: int = 7) -> None:
        self.now = 1000.0
        self.began = self.now
        self.policy = policy
        self.number = number
        self.facts = {f.device: f for f in seated(number, policy, devices)}
        self.rollout: Rollout = start(create(number, BUNDLE, policy), self.now)
        self.online = set(devices)
        self.told: Counter[str] = Counter()
        self.tokens_spent: list[float] = []
        self.verdicts: list[Verdict] = []
        self.withdrawn: set[str] = set()

    def change(self, device: str, **changes: object) -> None:
        self.facts[device] = msgspec.structs.replace(self.facts[device], updated_at=self.now, **changes)

    def tick(self, seconds: float = 0.0) -> list[object]:
        self.now += seconds
        for fact in list(self.facts.values()):  # seen since it was told
            if fact.issued_at is not None and fact.reached_at is None and fact.device in self.online:
                self.change_quietly(fact.device, reached_at=self.now)
        before = self.rollout
        facts = list(self.facts.values())
        self.rollout, actions = engine.advance(before, facts, self.verdicts, self.now)
        assert (self.rollout, actions) == engine.advance(before, facts, self.verdicts, self.now)
        self._check_passed(before, facts)
        for action in actions:
            self._do(before, action)
        if self.rollout == before and not actions:
            again = engine.advance(self.rollout, list(self.facts.values()), self.verdicts, self.now)
            assert again == (self.rollout, []), "a tick without news changes nothing"
        # A server that is killed here knows what its database knows.
        self.rollout = msgspec.json.decode(msgspec.json.encode(self.rollout), type=Rollout)
        return actions

    def change_quietly(self, device: str, **changes: object) -> None:
        self.facts[device] = msgspec.structs.replace(self.facts[device], **changes)

    def join(self, device: str) -> None:
        """A newcomer, as fleet_server.membership takes it in."""
        current, stage = self.rollout.current, self.rollout.stage
        late = stage.state not in (StageState.SCHEDULED, StageState.RUNNING)
        earliest = min(current + late, len(self.policy.stages))
        sizes = Counter(f.stage for f in self.facts.values())
        (seat,) = draw_late(self.number, self.policy, [Candidate(device, True, frozenset())], earliest, sizes)
        if self.rollout.state is RolloutState.FINISHED:
            seat = seat._replace(stage=len(self.rollout.stages) - 1, arm=Arm.NEW)
        assert seat.stage >= current or self.rollout.state is RolloutState.FINISHED
        self.facts[device] = Fact(device=device, stage=seat.stage, arm=seat.arm)
        self.online.add(device)

    def _do(self, before: Rollout, action: object) -> None:
        match action:
            case Assign(device, opening):
                self._assign(before, device, opening)
            case Reschedule(device, opening):
                assert self.facts[device].state is UpdateState.QUEUED, "who has begun goes on"
                self.change(
                    device,
                    held=opening.opens_at > self.now,
                    closes_at=opening.closes_at,
                    reached_at=self.now if device in self.online else None,
                )
            case Withdraw(device):
                assert self.facts[device].state not in SETTLED - {UpdateState.TIMED_OUT}
                assert before.state in (RolloutState.STOPPED, RolloutState.ROLLING_BACK)
                self.withdrawn.add(device)
                self.change(device, withdrawn_at=self.now)
            case Restore(device):
                fact = self.facts[device]
                assert fact.state not in (None, UpdateState.QUEUED), "only who has begun is restored"
                again = fact.restored is UpdateState.FAILED and fact.restores <= self.policy.retry.times
                assert fact.restored is None or again, "once, unless it failed for want of a link"
                self.change(
                    device,
                    restored=UpdateState.QUEUED,
                    restore_issued_at=self.now,
                    restores=fact.restores + 1,
                )
            case Settle(device, state):
                self.change_quietly(device, state=state)
            case Join(device, stage):
                assert self.facts[device].state is None
                self.change_quietly(device, stage=stage)

    def _assign(self, before: Rollout, device: str, opening: object) -> None:
        fact, policy = self.facts[device], self.policy
        assert before.state in (RolloutState.RUNNING, RolloutState.FINISHED)
        assert not fact.blocked
        again = fact.state is UpdateState.FAILED and fact.reason in TRANSIENT
        assert fact.state is None or (again and fact.attempts <= policy.retry.times), "nobody is told twice"
        ended = before.state is RolloutState.FINISHED
        if fact.arm is Arm.CONTROL:
            assert ended or before.stage.kind == "release", "the control arm stays on the old version"
        else:
            assert ended or fact.stage <= before.current, "later stages are untouched"
        plan = policy.plan[before.current] if before.current < len(policy.plan) else None
        assert ended or plan is None or not plan.approval or before.stage.approved
        closes_at = None
        if policy.windows:
            window = opening_at(policy.windows, self.began, self.now)
            assert window is not None
            assert window.opens_at <= self.now <= window.closes_at
            assert opening == window
            closes_at = window.closes_at
        self.tokens_spent.append(self.now)
        self.told[device] += 1
        self.change(
            device,
            attempts=fact.attempts + 1,
            state=UpdateState.QUEUED,
            reason="none",
            issued_at=self.now,
            reached_at=self.now if device in self.online else None,
            observed=False,
            held=False,
            closes_at=closes_at,
        )

    def _check_passed(self, before: Rollout, facts: list[Fact]) -> None:
        """A stage that has just passed, and was not skipped: settled, observed, few failures, and proof."""
        for index, stage in enumerate(before.stages):
            new = self.rollout.stages[index]
            if stage.state is new.state or new.state is not StageState.PASSED or new.skip:
                continue
            exposed = members(before, facts, index)
            reached = [f for f in exposed if f.reached_at is not None]
            assert reached or all(f.state in SETTLED for f in exposed)
            overdue = {f.device for f in exposed if late(f, self.policy.deadline_s, self.now)}
            bad = [f for f in exposed if f.device in overdue or f.state in UNSUCCESSFUL]
            assert len(bad) <= self.policy.max_failed * len(exposed)
            for fact in reached:
                assert fact.device in overdue or (fact.state in SETTLED and not unobserved(fact))
            if exposed and stage.kind != "release":
                assert not any(v.need == "proof" and v.outcome != "pass" for v in self.verdicts)

    def check_pace(self) -> None:
        """In no stretch of time were more told than the fastest rate gives, plus one bucket."""
        if self.policy.pace is None:
            return
        rate = pace.rate_per_s(self.policy.pace, 10**9)
        newest = self.tokens_spent[-1:]
        for told, since in enumerate(reversed(self.tokens_spent), start=1):
            assert told <= rate * (newest[0] - since) + max(1.0, rate * pace.BURST_S) + 1e-6


def rollout_of(policy: Policy) -> Rollout:
    return start(create(1, BUNDLE, policy), 0.0)


def ticked(rollout: Rollout, facts: list[Fact], now: float, *verdicts: Verdict) -> Rollout:
    return engine.advance(rollout, facts, verdicts, now)[0]


def member_at(state: UpdateState, **how: object) -> Fact:
    return Fact(
        **{"device": "d1", "stage": 0, "state": state, "attempts": 1, "issued_at": 0, "reached_at": 0, **how}
    )


def confirm_all(world: World) -> None:
    for fact in list(world.facts.values()):
        if fact.state is UpdateState.QUEUED and fact.device in world.online and not fact.held:
            world.change(fact.device, state=UpdateState.CONFIRMED, observed=True)
