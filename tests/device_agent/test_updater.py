"""The update rules, driven by any order of events against a model of the device's slots."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device_agent import update_state as u
from device_agent.updater import MAX_TRIALS, step
from wire.messages import ModelRef
from wire.states import Reason, UpdateState
from wire.trust import Assignment

DIGESTS = {1: "1" * 64, 2: "2" * 64, 3: "3" * 64}
PROGRESS = [u.Verified, u.Installed, u.TrialStarted, u.TrialPassed]
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


def assign(sequence: int, version: int = 1, attempt: str = "") -> u.Assigned:
    name = attempt or f"t{sequence}"
    return u.Assigned(Assignment(device="d", sequence=sequence, attempt=name, bundle=bundle(version)))


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
        for action in actions[:executed]:
            self.execute(action)
        if before.attempt and self.state.attempt and before.attempt.id != self.state.attempt.id:
            self.aborted.add(before.attempt.id)

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

    @rule(version=st.sampled_from([1, 2, 3]), step_=st.integers(-2, 3), executed=st.integers(0, 9))
    def assigned(self, version: int, step_: int, executed: int) -> None:
        sequence = max(0, self.sequence + step_)
        self.sequence = max(self.sequence, sequence)
        self.bundles.setdefault(f"t{sequence}", bundle(version))
        self.feed(assign(sequence, self.bundles[f"t{sequence}"].version), executed)

    @rule(
        kind=st.sampled_from([u.DownloadStarted, u.Downloaded]),
        late=st.integers(0, 2),
        size=st.integers(0, 500),
        executed=st.integers(0, 9),
    )
    def downloads(self, kind: type, late: int, size: int, executed: int) -> None:
        self.feed(kind(f"t{self.sequence - late}", size), executed)

    @rule(steps=st.integers(1, 6))
    def goes_well(self, steps: int) -> None:
        for _ in range(steps):
            attempt = self.state.attempt
            if attempt is None or attempt.state not in NEXT:
                return
            if attempt.state is UpdateState.VERIFIED:
                self.execute(u.Install(attempt))
            self.feed(NEXT[attempt.state](attempt.id))

    @rule(kind=st.sampled_from(PROGRESS), late=st.integers(0, 2), executed=st.integers(0, 9))
    def advances(self, kind: type, late: int, executed: int) -> None:
        name = f"t{self.sequence - late}"
        attempt = self.state.attempt
        current = attempt is not None and attempt.id == name
        if kind is u.Installed and current and self.disk[attempt.slot] != attempt.bundle.digest:
            return  # a device says Installed only after it did
        self.feed(kind(name), executed)

    @rule(reason=st.sampled_from(list(Reason)), late=st.integers(0, 1), executed=st.integers(0, 9))
    def fails(self, reason: Reason, late: int, executed: int) -> None:
        self.feed(u.Failed(f"t{self.sequence - late}", reason, "why", None), executed)

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
