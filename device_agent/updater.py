"""The rules of a model update: ``step(state, event) -> (state, actions)``, without any I/O.

What holds in every state, whatever happens and wherever the power is cut:

* The confirmed slot is never downloaded into, installed into or erased.
* A slot counts as content only between Installed and its next invalidation, and it is invalidated
  (and that persisted) before the first byte is written to it.
* Only the current attempt can be confirmed; an aborted one never is (mender-mcu PR 192).
* The accepted sequence never falls (SUIT, RFC 9124, 4.3.1); going back to an older model is a new
  assignment with a higher sequence, and needs no download while the other slot holds that model.
* An attempt that waits for its time has touched nothing; one that has begun goes on whatever the time.
* A canceled attempt stays canceled. What it left in its slot counts as before: a verified and completely
  written model may be tried by a later attempt, part of a download may be gone on with.
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
    Opened,
    Progress,
    Report,
    RunTrial,
    ShadowSkipped,
    SlotLost,
    StartTrial,
    State,
    TrialPassed,
    TrialStarted,
    Verified,
    Verify,
    Wait,
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
        Reason.UNSUPPORTED_OP,
        Reason.OLD_RUNTIME,
        Reason.PREPROCESSING,
        Reason.SCHEMA,
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
    signed_again = wanted.sequence == state.sequence
    if current.bundle != wanted.bundle or (signed_again and wanted.policy.cancel and not current.settled):
        return state, [Ignore("conflicting")]
    renewed = replace(current, sequence=wanted.sequence, policy=wanted.policy)
    state = replace(state, sequence=wanted.sequence, attempt=renewed)
    if renewed.settled:
        return state, [Report(renewed)]
    if wanted.policy.cancel:
        return _stopped(state, renewed, Reason.WITHDRAWN)
    # Signed anew, perhaps only because the signature had expired: the work goes on.
    return _queued(state, renewed) if renewed.waiting else (state, [Report(renewed)])


def _new_attempt(state: State, wanted: Assignment) -> Step:
    actions = _canceled(state)
    attempt = Attempt(
        id=wanted.attempt,
        sequence=wanted.sequence,
        bundle=wanted.bundle,
        policy=wanted.policy,
        slot=_holder(state, wanted.bundle.digest) or _spare(state),
        state=UpdateState.QUEUED,
    )
    state = replace(state, sequence=wanted.sequence)
    if wanted.policy.cancel:
        attempt = replace(attempt, state=UpdateState.CANCELED, reason=Reason.WITHDRAWN)
        state, more = _to(state, attempt)
    else:
        state, more = _queued(state, attempt)
    return state, [*actions, *more]


def _queued(state: State, attempt: Attempt) -> Step:
    """Wait for the time to begin, or begin."""
    if not attempt.policy.waits or attempt.slot == state.confirmed:
        return _begun(state, attempt)
    attempt = replace(attempt, waiting=True)
    return _to(state, attempt, Wait(attempt))


def _begun(state: State, attempt: Attempt) -> Step:
    slot = _holder(state, attempt.bundle.digest)
    attempt = replace(attempt, waiting=False, slot=slot or _spare(state))
    if slot is None:
        state = replace(state, slots=state.slots.put(attempt.slot, None))
        return _to(state, attempt, Download(attempt))
    if slot == state.confirmed:
        return _to(state, replace(attempt, state=UpdateState.ALREADY_INSTALLED))
    attempt = replace(attempt, state=UpdateState.INSTALLED)
    return _to(state, attempt, StartTrial(attempt))


def _canceled(state: State) -> list[Action]:
    """What ends the unfinished attempt that another one takes the place of."""
    attempt = state.attempt
    if attempt is None or attempt.settled:
        return []
    return _stopped(state, attempt, Reason.SUPERSEDED)[1]


def _stopped(state: State, attempt: Attempt, reason: Reason) -> Step:
    attempt = replace(attempt, state=UpdateState.CANCELED, reason=reason, detail="", waiting=False)
    return replace(state, attempt=attempt), [Abort(attempt.id), Activate(state.confirmed), Report(attempt)]


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
        case (UpdateState.QUEUED | UpdateState.DOWNLOADING, _):
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
        case (UpdateState.TESTING, _):
            return _tested(state, attempt, event)
    return state, []


def _tested(state: State, attempt: Attempt, event: Progress) -> Step:
    match event:
        case ShadowSkipped(detail=detail):
            return _to(state, replace(attempt, detail=detail[:240]))
        case TrialPassed():
            state = replace(state, confirmed=attempt.slot)
            return _to(state, replace(attempt, state=UpdateState.CONFIRMED), Activate(attempt.slot))
    return state, []


def _downloading(state: State, attempt: Attempt, event: Progress) -> Step:
    if attempt.waiting:
        return _begun(state, attempt) if isinstance(event, Opened) else (state, [])
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
    attempt = replace(attempt, state=UpdateState.TESTING, trials=attempt.trials + 1, detail="")
    return _to(state, attempt, RunTrial(attempt))


def _failed(state: State, attempt: Attempt, reason: Reason, detail: str, size_bytes: int | None) -> Step:
    if size_bytes is not None:
        attempt = _measured(attempt, size_bytes)
    had_begun = not attempt.waiting
    end = _end(attempt, reason)
    attempt = replace(attempt, reason=reason, detail=detail[:240], state=end, waiting=False)
    actions: list[Action] = [Abort(attempt.id), Activate(state.confirmed)]
    if had_begun:
        state = replace(state, slots=state.slots.put(attempt.slot, None))
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
    if attempt is None or attempt.settled or attempt.waiting:  # the retained wish starts the waiting anew
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
    if attempt is not None and attempt.slot == slot and not (attempt.settled or attempt.waiting):
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
