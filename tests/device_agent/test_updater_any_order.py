"""The update rules, driven by any order of events against a model of the device's slots."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device_agent import update_state as u
from device_agent.updater import step
from tests.device_agent.update_steps import (
    AT_ONCE,
    CANCEL,
    NEXT,
    POLICIES,
    PROGRESS,
    STARTS,
    WINDOW,
    assign,
    bundle,
)
from wire.messages import ModelRef
from wire.states import Reason, UpdateState
from wire.trust import Policy


class AnyOrder(RuleBasedStateMachine):
    """Slots are a dict of what is really on the disk; the power may be cut before any action."""

    @initialize()
    def start(self) -> None:
        self.state = u.State()
        self.disk: dict[str, str] = {"a": "", "b": ""}
        self.sequence = 0
        self.bundles: dict[str, ModelRef] = {}
        self.aborted: set[str] = set()
        self.names = ["t0"]
        """Of attempts, as the device came to know them."""
        self.ever_confirmed = False

    def feed(self, event: u.Event, executed: int = 99) -> None:
        before = self.state
        self.state, actions = step(before, event)
        assert self.state.sequence >= before.sequence
        current = before.attempt and before.attempt.id
        if isinstance(event, u.Progress) and event.attempt != current:
            assert (self.state, actions) == (before, [])
        if self.state.confirmed != before.confirmed:
            assert isinstance(event, u.TrialPassed)
            assert before.attempt
            assert event.attempt == before.attempt.id
            assert event.attempt not in self.aborted
        self.check_ends(before, actions)
        for action in actions[:executed]:
            self.execute(action)
        attempt = self.state.attempt
        if before.attempt and attempt and before.attempt.id != attempt.id:
            self.aborted.add(before.attempt.id)
        if attempt and attempt.state is UpdateState.CANCELED:
            self.aborted.add(attempt.id)
        if attempt and attempt.id != self.names[-1]:
            self.names.append(attempt.id)

    def check_ends(self, before: u.State, actions: list[u.Action]) -> None:
        """What has ended stays so, and what waits leaves everything as it is."""
        old, new = before.attempt, self.state.attempt
        if old and new and old.id == new.id and old.settled:
            assert (new.state, new.reason) == (old.state, old.reason)
        if new and (new.waiting or new.state is UpdateState.CANCELED):
            assert self.state.slots == before.slots
            assert not any(isinstance(action, STARTS) for action in actions)

    def name(self, late: int) -> str:
        """The present attempt, or one that was before."""
        return self.names[max(0, len(self.names) - 1 - late)]

    def execute(self, action: u.Action) -> None:
        if isinstance(action, u.Download):
            assert action.attempt.slot != self.state.confirmed
            assert self.state.slots.get(action.attempt.slot) is None
            self.disk[action.attempt.slot] = "partial"
        elif isinstance(action, u.Install):
            assert action.attempt.slot != self.state.confirmed
            self.disk[action.attempt.slot] = action.attempt.bundle.digest
        elif isinstance(action, u.Erase):
            assert action.slot != self.state.confirmed
            assert self.state.slots.get(action.slot) is None
            self.disk[action.slot] = ""
        elif isinstance(action, u.Activate):
            assert action.slot == self.state.confirmed

    @rule(
        version=st.sampled_from([1, 2, 3]),
        step_=st.integers(-2, 3),
        policy=POLICIES,
        executed=st.integers(0, 9),
    )
    def assigned(self, version: int, step_: int, policy: Policy, executed: int) -> None:
        sequence = max(0, self.sequence + step_)
        self.sequence = max(self.sequence, sequence)
        self.bundles.setdefault(f"t{sequence}", bundle(version))
        self.feed(assign(sequence, self.bundles[f"t{sequence}"].version, policy=policy), executed)

    @rule(
        late=st.integers(0, 2),
        step_=st.integers(0, 2),
        policy=st.sampled_from([AT_ONCE, WINDOW, CANCEL]),
        executed=st.integers(0, 9),
    )
    def signed_again(self, late: int, step_: int, policy: Policy, executed: int) -> None:
        name, before = (
            self.name(late if policy.cancel else 0),
            self.state,
        )  # no director wants an old one again
        sequence = self.sequence + step_
        self.sequence = sequence
        wanted = self.bundles.setdefault(name, bundle(1))
        self.feed(assign(sequence, wanted.version, name, policy), executed)
        if policy.cancel and sequence > before.sequence:
            old, new = before.attempt, self.state.attempt
            assert new
            assert new.settled
            assert new.id == name
            if not (old and old.id == name and old.settled):
                assert (new.state, new.reason) == (UpdateState.CANCELED, Reason.WITHDRAWN)

    @rule(late=st.integers(0, 2), executed=st.integers(0, 9))
    def opens(self, late: int, executed: int) -> None:
        self.feed(u.Opened(self.name(late)), executed)

    @rule(
        kind=st.sampled_from([u.DownloadStarted, u.Downloaded]),
        late=st.integers(0, 2),
        size=st.integers(0, 500),
        executed=st.integers(0, 9),
    )
    def downloads(self, kind: type, late: int, size: int, executed: int) -> None:
        self.feed(kind(self.name(late), size), executed)

    @rule(steps=st.integers(1, 6))
    def goes_well(self, steps: int) -> None:
        for _ in range(steps):
            attempt = self.state.attempt
            if attempt is None or attempt.state not in NEXT:
                return
            if attempt.waiting:
                self.feed(u.Opened(attempt.id))
                continue
            if attempt.state is UpdateState.VERIFIED:
                self.execute(u.Install(attempt))
            self.feed(NEXT[attempt.state](attempt.id))

    @rule(kind=st.sampled_from(PROGRESS), late=st.integers(0, 2), executed=st.integers(0, 9))
    def advances(self, kind: type, late: int, executed: int) -> None:
        name = self.name(late)
        attempt = self.state.attempt
        current = attempt is not None and attempt.id == name
        if kind is u.Installed and current and self.disk[attempt.slot] != attempt.bundle.digest:
            return  # a device says Installed only after it did
        self.feed(kind(name), executed)

    @rule(reason=st.sampled_from(list(Reason)), late=st.integers(0, 1), executed=st.integers(0, 9))
    def fails(self, reason: Reason, late: int, executed: int) -> None:
        self.feed(u.Failed(self.name(late), reason, "why", None), executed)

    @rule(late=st.integers(0, 2), executed=st.integers(0, 9))
    def skips_the_shadow(self, late: int, executed: int) -> None:
        self.feed(u.ShadowSkipped(self.name(late), "no RAM"), executed)

    @rule(executed=st.integers(0, 9))
    def boots(self, executed: int) -> None:
        self.feed(u.Booted(), executed)

    @invariant()
    def a_confirmed_model_answers(self) -> None:
        self.ever_confirmed |= self.state.confirmed is not None
        if self.ever_confirmed:
            assert self.state.confirmed is not None
            assert self.state.running is not None
            assert self.disk[self.state.confirmed] == self.state.running.digest

    @invariant()
    def a_valid_slot_holds_what_it_says(self) -> None:
        for slot in ("a", "b"):
            content = self.state.slots.get(slot)
            assert content is None or self.disk[slot] == content.digest

    @invariant()
    def an_unfinished_attempt_never_works_on_the_confirmed_slot(self) -> None:
        attempt = self.state.attempt
        assert attempt is None or attempt.settled or attempt.slot != self.state.confirmed


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
