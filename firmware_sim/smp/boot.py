"""Which slot boots: a new image is tried once, and without a confirmation the next reset goes back.

The rules of MCUboot's "direct-xip with revert": images run where they lie, so that nothing is copied and a
revert costs nothing. Model images hold offsets and no addresses, hence run from either slot.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Pending(StrEnum):
    """What the next reset does with the slot that does not answer."""

    NOTHING = "nothing"
    TEST = "test"
    PERMANENT = "permanent"


class BootRecord(NamedTuple):
    """What survives a reset besides the slots themselves."""

    active: int = 0
    """The slot that answers, 0 or 1."""
    confirmed: bool = True
    """False on trial: the other slot is what the next reset goes back to."""
    pending: Pending = Pending.NOTHING
    whole: bool = False
    """Whether the other slot was programmed to its end: what a cut left may read well once, and no more."""

    @property
    def other(self) -> int:
        """The slot that does not answer."""
        return 1 - self.active

    @property
    def other_is_needed(self) -> bool:
        """Whether the slot that does not answer may not be overwritten."""
        return not self.confirmed or self.pending is not Pending.NOTHING


def boot(record: BootRecord, sound: tuple[bool, bool]) -> BootRecord:
    """After a reset; ``sound`` says of each slot whether its image passes every check.

    Without any sound slot the record stays: nothing can answer.
    """
    good = record.whole and sound[record.other]
    if record.pending is not Pending.NOTHING and good:
        return BootRecord(record.other, confirmed=record.pending is Pending.PERMANENT, whole=True)
    if good and not (record.confirmed and sound[record.active]):
        return BootRecord(record.other, whole=True)
    return BootRecord(record.active, whole=record.whole)


def try_next(record: BootRecord, *, permanent: bool) -> BootRecord:
    """The other slot is to run after the next reset; only if it is whole, and needed for nothing else."""
    return record._replace(pending=Pending.PERMANENT if permanent else Pending.TEST)


def confirm(record: BootRecord) -> BootRecord:
    """What answers now stays."""
    return record._replace(confirmed=True)
