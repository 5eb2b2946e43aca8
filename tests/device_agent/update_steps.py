"""Assignments, and whole runs of the update rules."""

from __future__ import annotations

import hypothesis.strategies as st

from device_agent import update_state as u
from device_agent.updater import step
from wire.messages import ModelRef
from wire.states import UpdateState
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


def in_state(state: UpdateState) -> u.State:
    """v1 is confirmed, and the attempt t2 at v2 has come so far."""
    reached, _ = run(confirmed_on(1), assign(2, 2, policy=WINDOW))
    for event in [u.Opened("t2"), *good_run("t2")]:
        if reached.attempt and reached.attempt.state is state and not reached.attempt.waiting:
            return reached
        reached, _ = run(reached, event)
    return reached
