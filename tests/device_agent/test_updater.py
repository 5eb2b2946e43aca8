"""The update rules, driven by any order of events against a model of the device's slots."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device_agent import update_state as u
from device_agent.updater import MAX_TRIALS, step
from wire.messages import ModelRef
from wire.states import Reason, UpdateState
from wire.trust import Assignment, Policy

DIGESTS = {1: "1" * 64, 2: "2" * 64, 3: "3" * 64}
PROGRESS = [u.Verified, u.Installed, u.TrialStarted, u.TrialPassed]
AT_ONCE = Policy()
WINDOW = Policy(begin_in_s=60, begin_for_s=600)
CANCEL = Policy(cancel=True)
POLICIES = st.sampled_from([AT_ONCE, WINDOW])
STARTS = (u.Download, u.Install, u.Erase, u.StartTrial, u.RunTrial)
NEXT = {
    UpdateState.QUEUED: lambda attempt: u.DownloadStarted(attempt, 0),
    UpdateState.DOWNLOADING: lambda attempt: u.Downloaded(attempt, 100),
    UpdateState.DOWNLOADED: u.Verified,
    UpdateState.VERIFIED: u.Installed,
    UpdateState.INSTALLED: u.TrialStarted,
    UpdateState.TESTING: u.TrialPassed,
}


def bundle(version: int) -> ModelRef:
    return ModelRef(model="m", version=version, digest=DIGESTS[version])


def assign(sequence: int, version: int = 1, attempt: str = "", policy: Policy = AT_ONCE) -> u.Assigned:
    name = attempt or f"t{sequence}"
    wanted = Assignment(device="d", sequence=sequence, attempt=name, bundle=bundle(version), policy=policy)
    return u.Assigned(wanted)


def run(state: u.State, *events: u.Event) -> tuple[u.State, list[u.Action]]:
    actions: list[u.Action] = []
    for event in events:
        state, actions = step(state, event)
    return state, actions


def good_run(attempt: str) -> list[u.Event]:
    return [
        u.DownloadStarted(attempt, 0),
        u.Downloaded(attempt, 100),
        *(kind(attempt) for kind in PROGRESS),
    ]


def confirmed_on(version: int) -> u.State:
    state, _ = run(u.State(), assign(1, version), *good_run("t1"))
    assert state.running == bundle(version)
    return state


def kinds(actions: list[u.Action]) -> list[type[u.Action]]:
    return [type(action) for action in actions]


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


def test_a_whole_update_visits_every_state() -> None:
    state, seen = u.State(), []
    for event in [assign(1), *good_run("t1")]:
        state, _ = step(state, event)
        assert state.attempt
        seen.append(state.attempt.state)
    assert seen == [
        UpdateState.QUEUED,
        UpdateState.DOWNLOADING,
        UpdateState.DOWNLOADED,
        UpdateState.VERIFIED,
        UpdateState.INSTALLED,
        UpdateState.TESTING,
        UpdateState.CONFIRMED,
    ]


def test_older_sequence_is_a_replay_and_equal_one_is_reported_again() -> None:
    state, _ = run(confirmed_on(1), assign(5, 2))
    assert run(state, assign(4, 3)) == (state, [u.Ignore("replayed")])
    assert run(state, assign(5, 3, "other")) == (state, [u.Ignore("replayed")])
    assert run(state, assign(5, 2)) == (state, [u.Report(state.attempt)])


def test_confirmed_bundle_is_already_installed() -> None:
    state, actions = run(confirmed_on(1), assign(2, 1))
    assert state.attempt
    assert state.attempt.state is UpdateState.ALREADY_INSTALLED
    assert kinds(actions) == [u.Report]


def test_bundle_in_the_other_slot_is_tried_without_a_download() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2), *good_run("t2"))
    state, actions = run(state, assign(3, 1))
    assert kinds(actions) == [u.Report, u.StartTrial]
    state, _ = run(state, u.TrialStarted("t3"), u.TrialPassed("t3"))
    assert state.running == bundle(1)


def test_new_assignment_cancels_the_unfinished_one() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2), u.DownloadStarted("t2", 0))
    state, actions = run(state, assign(3, 3))
    reports = [action.attempt for action in actions if isinstance(action, u.Report)]
    assert [(r.id, r.state, r.reason) for r in reports if r] == [
        ("t2", UpdateState.CANCELED, Reason.SUPERSEDED),
        ("t3", UpdateState.QUEUED, Reason.NONE),
    ]
    assert run(state, *good_run("t2"))[0] == state


def test_failed_trial_invalidates_its_slot_and_downloads_nothing() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2), *good_run("t2")[:-1])
    state, actions = run(state, u.Failed("t2", Reason.SELF_TEST, "golden vector 3"))
    assert state.running == bundle(1)
    assert state.slots == u.Slots(a=bundle(1))
    assert state.attempt
    assert state.attempt.state is UpdateState.ROLLED_BACK
    assert kinds(actions) == [u.Report, u.Abort, u.Activate, u.Erase]


def test_third_boot_during_the_trial_rolls_back() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2), *good_run("t2")[:-1])
    for _ in range(MAX_TRIALS - 1):
        state, actions = run(state, u.Booted())
        assert kinds(actions) == [u.Activate, u.Report, u.RunTrial]
    state, _ = run(state, u.Booted())
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == (
        UpdateState.ROLLED_BACK,
        Reason.TRIAL_INTERRUPTED,
    )
    assert state.running == bundle(1)


def test_resumed_download_counts_the_bytes_of_all_boots() -> None:
    state, _ = run(u.State(), assign(1), u.DownloadStarted("t1", 40), u.Booted(), u.DownloadStarted("t1", 70))
    assert state.attempt
    assert state.attempt.downloaded_bytes == 30
    state, _ = run(state, u.Downloaded("t1", 100))
    assert state.attempt
    assert state.attempt.downloaded_bytes == 60


def test_damaged_confirmed_slot_is_reported_not_hidden() -> None:
    state, actions = run(confirmed_on(1), u.SlotLost("a"))
    assert state.running is None
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == (UpdateState.FAILED, Reason.STORAGE)
    assert kinds(actions) == [u.Activate, u.Report]


def in_state(state: UpdateState) -> u.State:
    """v1 is confirmed, and the attempt t2 at v2 has come so far."""
    reached, _ = run(confirmed_on(1), assign(2, 2, policy=WINDOW))
    for event in [u.Opened("t2"), *good_run("t2")]:
        if reached.attempt and reached.attempt.state is state and not reached.attempt.waiting:
            return reached
        reached, _ = run(reached, event)
    return reached


@pytest.mark.parametrize("at", NEXT)
def test_a_withdrawn_attempt_never_commits_whatever_comes_late(at: UpdateState) -> None:
    state, actions = run(in_state(at), assign(3, 2, "t2", CANCEL))
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == (UpdateState.CANCELED, Reason.WITHDRAWN)
    assert actions == [u.Abort("t2"), u.Activate("a"), u.Report(state.attempt)]
    assert run(state, *good_run("t2"))[0] == state
    assert run(state, u.Booted(), *good_run("t2"), u.Booted()) == (state, [u.Activate("a")])
    again, actions = run(state, assign(9, 2, "t2"))
    assert kinds(actions) == [u.Report], "nor when the wish is signed again without the cancellation"
    assert run(again, *good_run("t2"))[0].running == bundle(1)


def test_a_withdrawal_needs_a_higher_sequence() -> None:
    state = in_state(UpdateState.TESTING)
    assert run(state, assign(2, 2, "t2", CANCEL)) == (state, [u.Ignore("conflicting")])
    assert run(state, assign(1, 2, "t2", CANCEL)) == (state, [u.Ignore("replayed")])


def test_a_confirmed_attempt_stays_confirmed_and_says_so() -> None:
    state, actions = run(in_state(UpdateState.CONFIRMED), assign(3, 2, "t2", CANCEL))
    assert state.running == bundle(2)
    assert state.attempt
    assert state.attempt.state is UpdateState.CONFIRMED
    assert actions == [u.Report(state.attempt)]


def test_an_attempt_that_was_never_seen_is_canceled_without_a_download() -> None:
    state, actions = run(confirmed_on(1), assign(5, 2, "t4", CANCEL))
    assert state.attempt
    assert (state.attempt.id, state.attempt.state) == ("t4", UpdateState.CANCELED)
    assert actions == [u.Report(state.attempt)]
    assert state.slots == confirmed_on(1).slots


def test_a_withdrawn_model_that_was_installed_is_tried_again_without_a_download() -> None:
    state, _ = run(in_state(UpdateState.TESTING), assign(3, 2, "t2", CANCEL))
    state, actions = run(state, assign(4, 2))
    assert kinds(actions) == [u.Report, u.StartTrial]


def test_nothing_begins_before_its_time_and_a_boot_waits_for_the_wish() -> None:
    state, actions = run(confirmed_on(1), assign(2, 2, policy=WINDOW))
    assert kinds(actions) == [u.Report, u.Wait]
    assert run(state, u.Booted()) == (state, [u.Activate("a")])
    assert run(state, *good_run("t2"))[0] == state
    assert kinds(run(state, assign(2, 2, policy=WINDOW))[1]) == [u.Report, u.Wait]
    _, actions = run(state, u.Opened("t2"))
    assert kinds(actions) == [u.Report, u.Download]


def test_a_model_in_the_other_slot_waits_for_its_time_too_and_stays_there() -> None:
    state, _ = run(in_state(UpdateState.CONFIRMED), assign(3, 1, policy=WINDOW))
    assert state.slots.a == bundle(1)
    state, actions = run(state, u.Opened("t3"))
    assert kinds(actions) == [u.Report, u.StartTrial]


def test_a_renewed_wish_restarts_the_waiting_or_ends_it() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2, policy=WINDOW))
    later = Policy(begin_in_s=5)
    renewed, actions = run(state, assign(3, 2, "t2", later))
    assert renewed.attempt
    assert renewed.attempt.policy == later
    assert actions == [u.Report(renewed.attempt), u.Wait(renewed.attempt)]
    assert kinds(run(state, assign(3, 2, "t2"))[1]) == [u.Report, u.Download]


def test_what_has_begun_goes_on_when_the_wish_is_renewed_with_another_time() -> None:
    state, _ = run(confirmed_on(1), assign(2, 2, policy=WINDOW), u.Opened("t2"))
    state, actions = run(state, assign(3, 2, "t2", WINDOW))
    assert kinds(actions) == [u.Report]
    assert kinds(run(state, u.Booted())[1]) == [u.Activate, u.Download]


@pytest.mark.parametrize(
    "reason", [Reason.UNSUPPORTED_OP, Reason.OLD_RUNTIME, Reason.PREPROCESSING, Reason.SCHEMA]
)
def test_what_lies_in_the_assignment_is_rejected(reason: Reason) -> None:
    state, _ = run(in_state(UpdateState.DOWNLOADED), u.Failed("t2", reason, "why"))
    assert state.attempt
    assert state.attempt.state is UpdateState.REJECTED


def test_a_refusal_in_the_shadow_rolls_back() -> None:
    state, _ = run(in_state(UpdateState.TESTING), u.Failed("t2", Reason.SHADOW, "disagreed"))
    assert state.attempt
    assert (state.attempt.state, state.running) == (UpdateState.ROLLED_BACK, bundle(1))


def test_a_skipped_shadow_is_told_with_the_confirmation() -> None:
    state, _ = run(
        in_state(UpdateState.TESTING), u.ShadowSkipped("t2", "no shadow: RAM"), u.TrialPassed("t2")
    )
    assert state.attempt
    assert (state.attempt.state, state.attempt.detail) == (UpdateState.CONFIRMED, "no shadow: RAM")
