"""What the updater knows, what can happen to it and what it asks for: data only."""

from __future__ import annotations

import msgspec

from wire.messages import AttemptId, Detail, ModelRef, SlotName
from wire.sketch import Count
from wire.states import SETTLED, Reason, UpdateState
from wire.trust import Assignment, Policy


class Slots(msgspec.Struct, frozen=True):
    """Model of each slot whose content was verified and completely written; None otherwise."""

    a: ModelRef | None = None
    b: ModelRef | None = None

    def get(self, slot: SlotName) -> ModelRef | None:
        """Valid content of ``slot``."""
        return self.a if slot == "a" else self.b

    def put(self, slot: SlotName, ref: ModelRef | None) -> Slots:
        """These slots with the content of one changed."""
        return Slots(ref, self.b) if slot == "a" else Slots(self.a, ref)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to change the model."""

    id: AttemptId
    sequence: Count
    bundle: ModelRef
    policy: Policy
    slot: SlotName
    state: UpdateState
    reason: Reason = Reason.NONE
    detail: Detail = ""
    waiting: bool = False
    """Whether it may not begin yet; nothing of it has been done then."""
    trials: Count = 0
    """Trials started, by all boots together."""
    offset_bytes: Count = 0
    """What an earlier attempt at the same bundle had left in the slot when this one began."""
    downloaded_bytes: Count = 0
    """Stored for this attempt, by all boots together, as of the last change of state."""

    @property
    def settled(self) -> bool:
        """Whether nothing more will be done for it."""
        return self.state in SETTLED


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that survives a restart, persisted before any action that follows from it."""

    slots: Slots = Slots()
    confirmed: SlotName | None = None
    sequence: Count = 0
    """Highest assignment sequence accepted."""
    attempt: Attempt | None = None

    @property
    def running(self) -> ModelRef | None:
        """The confirmed model."""
        return None if self.confirmed is None else self.slots.get(self.confirmed)


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of what can happen."""


class Assigned(Event, frozen=True):
    """The director wants this; already verified for this device."""

    assignment: Assignment


class Booted(Event, frozen=True):
    """The process started, with its state as persisted."""


class SlotLost(Event, frozen=True):
    """The content of a slot does not load any more: a damaged disk."""

    slot: SlotName


class Progress(Event, frozen=True):
    """Base of what happens to one attempt; ignored when it is another than the current one."""

    attempt: AttemptId


class Opened(Progress, frozen=True):
    """The time to begin has come."""


class DownloadStarted(Progress, frozen=True):
    """Bytes of the bundle that the slot already holds: the download goes on there."""

    offset_bytes: int


class Downloaded(Progress, frozen=True):
    """The slot holds the whole payload, unchecked."""

    size_bytes: int


class Verified(Progress, frozen=True):
    """The payload is what was signed, and fits this hardware."""


class Installed(Progress, frozen=True):
    """The slot is completely written."""


class TrialStarted(Progress, frozen=True):
    """The new model is about to be loaded (which may take the process down)."""


class ShadowSkipped(Progress, frozen=True):
    """The trial goes on without the shadow that its policy asks for."""

    detail: str


class TrialPassed(Progress, frozen=True):
    """Golden vectors and live inferences went well."""


class Failed(Progress, frozen=True):
    """Something of the attempt went wrong."""

    reason: Reason
    detail: str
    size_bytes: int | None = None
    """What the slot held of the download, when that is known."""


class Action(msgspec.Struct, frozen=True, tag=True):
    """Base of what the device shall do; every action may be repeated."""


class Report(Action, frozen=True):
    """Tell the server how ``attempt`` stands."""

    attempt: Attempt | None


class Wait(Action, frozen=True):
    """Answer with Opened when the policy lets it begin, counted from the first time this was asked for."""

    attempt: Attempt


class Download(Action, frozen=True):
    """Fetch the bundle of the attempt into its slot, from where an earlier download stopped."""

    attempt: Attempt


class Verify(Action, frozen=True):
    """Check the downloaded payload and whether it fits."""

    attempt: Attempt


class Install(Action, frozen=True):
    """Make the verified payload the content of its slot."""

    attempt: Attempt


class StartTrial(Action, frozen=True):
    """Answer with TrialStarted."""

    attempt: Attempt


class RunTrial(Action, frozen=True):
    """Load the new model, test it, let it answer."""

    attempt: Attempt


class Activate(Action, frozen=True):
    """Answer with the model of this slot (None: with none) and forget any trial."""

    slot: SlotName | None


class Erase(Action, frozen=True):
    """Free the slot."""

    slot: SlotName


class Abort(Action, frozen=True):
    """Stop all work for this attempt."""

    attempt: AttemptId


class Ignore(Action, frozen=True):
    """Nothing, but count it under this name."""

    counter: str
