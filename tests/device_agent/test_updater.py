"""The update rules, one promise at a time."""

from __future__ import annotations

import pytest

from device_agent import update_state as u
from device_agent.updater import MAX_TRIALS, step
from tests.device_agent.update_steps import (
    CANCEL,
    NEXT,
    WINDOW,
    assign,
    bundle,
    confirmed_on,
    good_run,
    in_state,
    kinds,
    run,
)
from wire.states import Reason, UpdateState
from wire.trust import Policy


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
