"""How one member device of a rollout stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fleet_server.rollout_policy import Policy, Retry
from fleet_server.rollout_state import Arm, Fact, Rollout
from wire.states import SETTLED, UNSUCCESSFUL, Reason, UpdateState

#: Reasons that may be gone the next time.
TRANSIENT: Final = frozenset({Reason.LINK_LOST, Reason.STORAGE})
GOOD: Final = frozenset({UpdateState.CONFIRMED, UpdateState.SUCCEEDED, UpdateState.ALREADY_INSTALLED})


def members(rollout: Rollout, facts: Sequence[Fact], stage: int) -> list[Fact]:
    """Who is to get the version in a stage; in the release also every device of the control arm."""
    if stage < len(rollout.policy.stages):
        return [f for f in facts if f.stage == stage and f.arm is Arm.NEW]
    return [f for f in facts if f.stage >= stage or f.arm is Arm.CONTROL]


def superseded(fact: Fact) -> bool:
    """Another rollout took the device before this one's attempt came to an end."""
    unfinished = fact.state is not None and (fact.state not in SETTLED or fact.state is UpdateState.CANCELED)
    return fact.away and unfinished


def retrying(fact: Fact, retry: Retry) -> bool:
    """It failed for a reason that may pass, and shall try again."""
    transient = fact.state is UpdateState.FAILED and fact.reason in TRANSIENT
    return transient and not fact.away and fact.attempts <= retry.times


def pending(fact: Fact, policy: Policy) -> bool:
    """It is to be assigned, now or later."""
    if fact.overtaken:
        return False
    return fact.state is None or superseded(fact) or retrying(fact, policy.retry)


def due(fact: Fact, policy: Policy, now: float) -> bool:
    """It is to be assigned now, as far as it depends on the device."""
    if not pending(fact, policy) or fact.blocked:
        return False
    return not retrying(fact, policy.retry) or _waited(policy.retry, fact.attempts, fact.updated_at, now)


def restore_retrying(fact: Fact, retry: Retry) -> bool:
    """Going back failed for a reason that may pass."""
    transient = fact.restored is UpdateState.FAILED and fact.restore_reason in TRANSIENT
    return transient and not fact.away and fact.restores <= retry.times


def restore_due(fact: Fact, retry: Retry, now: float) -> bool:
    """It shall try to go back once more, now."""
    return restore_retrying(fact, retry) and _waited(retry, fact.restores, fact.restore_updated_at, now)


def _waited(retry: Retry, attempts: int, ended_at: float | None, now: float) -> bool:
    """Whether the back-off after so many attempts is over."""
    return ended_at is None or now - ended_at >= retry.after_s * 2.0 ** (attempts - 1)


def unsettled(fact: Fact) -> bool:
    """Something is still expected of its present attempt."""
    return fact.state is not None and fact.state not in SETTLED and not (fact.away or fact.overtaken)


def unobserved(fact: Fact) -> bool:
    """Confirmed, but it has reported nothing of the new version yet."""
    return fact.state is UpdateState.CONFIRMED and not fact.observed and not (fact.away or fact.overtaken)


def late(fact: Fact, deadline_s: float, now: float) -> bool:
    """It was reached, and has neither ended for good nor been observed by its deadline."""
    waiting = unobserved(fact) or (unsettled(fact) and not fact.held and fact.withdrawn_at is None)
    return waiting and fact.reached_at is not None and now - fact.reached_at > deadline_s


def failed(fact: Fact, retry: Retry) -> bool:
    """It counts against the rollout."""
    return fact.state in UNSUCCESSFUL and not retrying(fact, retry)


def went_well(facts: Iterable[Fact]) -> int:
    """How many run the new version."""
    return sum(fact.state in GOOD for fact in facts)
