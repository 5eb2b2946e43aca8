"""The rules of a model update: ``step(state, event) -> (state, actions)``, without any I/O.

What holds in every state, whatever happens and wherever the power is cut:

* The confirmed slot is never downloaded into, installed into or erased.
* A slot counts as content only between Installed and its next invalidation, and it is invalidated
  (and that persisted) before the first byte is written to it.
* Only the current attempt can be confirmed; an aborted one never is (mender-mcu PR 192).
* The accepted sequence never falls (SUIT, RFC 9124, 4.3.1); going back to an older model is a new
  assignment with a higher sequence, and needs no download while the other slot holds that model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from device_agent.update_state import (
    Abort,
    Action,
    Activate,
    Assigned,
    Attempt,
    Booted,
    Download,
    Downloaded,
    DownloadStarted,
    Erase,
    Event,
    Failed,
    Ignore,
    Install,
    Installed,
    Progress,
    Report,
    RunTrial,
    SlotLost,
    StartTrial,
    State,
    TrialPassed,
    TrialStarted,
    Verified,
    Verify,
)
from wire.messages import SlotName
from wire.states import Reason, UpdateState
from wire.trust import Assignment

#: A trial is started at most this often; a model that takes the device down twice is bad.
MAX_TRIALS: Final = 2
#: Reasons that lie in what was assigned, so that trying again is of no use.
_REJECTIONS: Final = frozenset(
    {
        Reason.UNTRUSTED,
        Reason.MALFORMED,
        Reason.WRONG_TARGET,
        Reason.OUT_OF_RAM,
        Reason.OUT_OF_FLASH,
    }
)
_ON_TRIAL: Final = frozenset({UpdateState.INSTALLED, UpdateState.TESTING})

_RESUMED_BY: Final[dict[UpdateState, Callable[[Attempt], Action]]] = {
    UpdateState.QUEUED: Download,
    UpdateState.DOWNLOADING: Download,
    UpdateState.DOWNLOADED: Verify,
    UpdateState.VERIFIED: Install,
    UpdateState.INSTALLED: StartTrial,
}

Step = tuple[State, list[Action]]


def step(state: State, event: Event) -> Step:
    """The state after ``event``, and what to do once that state is persisted."""
    match event:
        case Assigned(assignment):
            return _assigned(state, assignment)
        case Booted():
            return _booted(state)
        case SlotLost(slot):
            return _slot_lost(state, slot)
        case Progress(attempt=attempt_id):
            attempt = state.attempt
            if attempt is None or attempt.id != attempt_id or attempt.settled:
                return state, []
            if isinstance(event, Failed):
                return _failed(state, attempt, event.reason, event.detail, event.size_bytes)
            return _advanced(state, attempt, event)
    raise TypeError(f"not an event: {event!r}")


def _assigned(state: State, wanted: Assignment) -> Step:
    current = state.attempt
    same = current is not None and current.id == wanted.attempt
    if wanted.sequence < state.sequence or (wanted.sequence == state.sequence and not same):
        return state, [Ignore("replayed")]
    if current is None or not same:
        return _new_attempt(state, wanted)
    if current.bundle != wanted.bundle:
        return state, [Ignore("conflicting")]
    # Signed anew, perhaps only because the signature had expired: the work goes on.
    renewed = replace(current, sequence=wanted.sequence, policy=wanted.policy)
    return replace(state, sequence=wanted.sequence, attempt=renewed), [Report(renewed)]


def _new_attempt(state: State, wanted: Assignment) -> Step:
    actions = _canceled(state)
    slot = _holder(state, wanted.bundle.digest)
    attempt = Attempt(
        id=wanted.attempt,
        sequence=wanted.sequence,
        bundle=wanted.bundle,
        policy=wanted.policy,
        slot=slot or _spare(state),
        state=UpdateState.QUEUED,
    )
    state = replace(state, sequence=wanted.sequence)
    if slot is not None and slot == state.confirmed:
        attempt = replace(attempt, state=UpdateState.ALREADY_INSTALLED)
    elif slot is not None:
        attempt = replace(attempt, state=UpdateState.INSTALLED)
        return replace(state, attempt=attempt), [*actions, Report(attempt), StartTrial(attempt)]
    else:
        state = replace(state, slots=state.slots.put(attempt.slot, None))
        return replace(state, attempt=attempt), [*actions, Report(attempt), Download(attempt)]
    return replace(state, attempt=attempt), [*actions, Report(attempt)]


def _canceled(state: State) -> list[Action]:
    attempt = state.attempt
    if attempt is None or attempt.settled:
        return []
    canceled = replace(attempt, state=UpdateState.CANCELED, reason=Reason.SUPERSEDED)
    return [Abort(attempt.id), Activate(state.confirmed), Report(canceled)]


def _holder(state: State, digest: str) -> SlotName | None:
    """The slot that holds the bundle, the confirmed one first."""
    order: list[SlotName] = ["b", "a"] if state.confirmed == "b" else ["a", "b"]
    for slot in order:
        content = state.slots.get(slot)
        if content is not None and content.digest == digest:
            return slot
    return None


def _spare(state: State) -> SlotName:
    return "b" if state.confirmed == "a" else "a"


def _advanced(state: State, attempt: Attempt, event: Progress) -> Step:
    match attempt.state, event:
        case (UpdateState.QUEUED | UpdateState.DOWNLOADING, DownloadStarted() | Downloaded()):
            return _downloading(state, attempt, event)
        case (UpdateState.DOWNLOADED, Verified()):
            attempt = replace(attempt, state=UpdateState.VERIFIED)
            return _to(state, attempt, Install(attempt))
        case (UpdateState.VERIFIED, Installed()):
            attempt = replace(attempt, state=UpdateState.INSTALLED)
            state = replace(state, slots=state.slots.put(attempt.slot, attempt.bundle))
            return _to(state, attempt, StartTrial(attempt))
        case (UpdateState.INSTALLED, TrialStarted()):
            return _try(state, attempt)
        case (UpdateState.TESTING, TrialPassed()):
            state = replace(state, confirmed=attempt.slot)
            return _to(state, replace(attempt, state=UpdateState.CONFIRMED), Activate(attempt.slot))
    return state, []


def _downloading(state: State, attempt: Attempt, event: Progress) -> Step:
    match attempt.state, event:
        case (UpdateState.QUEUED, DownloadStarted(offset_bytes=offset)):
            attempt = replace(attempt, state=UpdateState.DOWNLOADING, offset_bytes=offset)
            return _to(state, attempt)
        case (UpdateState.DOWNLOADING, DownloadStarted(offset_bytes=offset)):
            # The disk may have lost bytes that a power cut left unsynced.
            attempt = replace(attempt, offset_bytes=min(attempt.offset_bytes, offset))
            return _to(state, _measured(attempt, offset))
        case (UpdateState.DOWNLOADING, Downloaded(size_bytes=size)):
            attempt = _measured(replace(attempt, state=UpdateState.DOWNLOADED), size)
            return _to(state, attempt, Verify(attempt))
    return state, []


def _try(state: State, attempt: Attempt) -> Step:
    attempt = replace(attempt, state=UpdateState.TESTING, trials=attempt.trials + 1)
    return _to(state, attempt, RunTrial(attempt))


def _failed(state: State, attempt: Attempt, reason: Reason, detail: str, size_bytes: int | None) -> Step:
    if size_bytes is not None:
        attempt = _measured(attempt, size_bytes)
    attempt = replace(attempt, reason=reason, detail=detail[:240], state=_end(attempt, reason))
    state = replace(state, slots=state.slots.put(attempt.slot, None))
    actions: list[Action] = [Abort(attempt.id), Activate(state.confirmed)]
    if reason is not Reason.LINK_LOST:  # what was fetched of a good bundle serves the next attempt
        actions.append(Erase(attempt.slot))
    return _to(state, attempt, *actions)


def _end(attempt: Attempt, reason: Reason) -> UpdateState:
    if attempt.state in _ON_TRIAL:
        return UpdateState.ROLLED_BACK
    return UpdateState.REJECTED if reason in _REJECTIONS else UpdateState.FAILED


def _booted(state: State) -> Step:
    attempt = state.attempt
    activate = Activate(state.confirmed)
    if attempt is None or attempt.settled:
        return state, [activate]
    if attempt.state in _RESUMED_BY:
        return state, [activate, _RESUMED_BY[attempt.state](attempt)]
    if attempt.trials < MAX_TRIALS:
        state, actions = _try(state, attempt)
    else:
        detail = f"the device restarted during each of {attempt.trials} trials"
        state, actions = _failed(state, attempt, Reason.TRIAL_INTERRUPTED, detail, None)
    return state, [activate, *actions]


def _slot_lost(state: State, slot: SlotName) -> Step:
    attempt = state.attempt
    detail = f"slot {slot} is damaged"
    if attempt is not None and attempt.slot == slot and not attempt.settled:
        return _failed(state, attempt, Reason.STORAGE, detail, None)
    state = replace(state, slots=state.slots.put(slot, None))
    if state.confirmed != slot:
        return state, []
    state = replace(state, confirmed=None)
    if attempt is not None and attempt.slot == slot:
        attempt = replace(attempt, state=UpdateState.FAILED, reason=Reason.STORAGE, detail=detail)
    return replace(state, attempt=attempt), [Activate(None), Report(attempt)]


def _measured(attempt: Attempt, size_bytes: int) -> Attempt:
    return replace(attempt, downloaded_bytes=max(0, size_bytes - attempt.offset_bytes))


def _to(state: State, attempt: Attempt, *actions: Action) -> Step:
    """The state with ``attempt``, reported before what follows from it."""
    return replace(state, attempt=attempt), [Report(attempt), *actions]
