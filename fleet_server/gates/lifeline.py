"""When each device joined its arm, and when it first broke: restarted unbidden, or fell silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from fleet_server.gates.cell import Member
from fleet_server.gates.hazard import Break


class Lifeline(msgspec.Struct, frozen=True, kw_only=True):
    """One device in its arm. Times in seconds since the epoch."""

    entered_at: float
    """First window that counts: of the new version, or of the old one since the rollout began."""
    last_at: float
    boot: str
    broke_at: float | None = None

    def seen(self, boot: str, at: float) -> Lifeline:
        """After another window; a new boot means that the device restarted."""
        broke_at = at if self.broke_at is None and boot != self.boot else self.broke_at
        return msgspec.structs.replace(self, last_at=max(at, self.last_at), boot=boot, broke_at=broke_at)

    def ended_at(self, until: float, silent_s: float) -> float | None:
        """When it broke, as far as is known at ``until``; silence counts once it has lasted ``silent_s``."""
        if self.broke_at is not None:
            return self.broke_at
        return self.last_at + silent_s if until - self.last_at > silent_s else None


def breaks(lives: Iterable[tuple[Member, Lifeline]], until: float, silent_s: float) -> tuple[Break, ...]:
    """First breaks in order of time, each with those of its stratum that were at risk just before."""
    events: list[tuple[float, int, bool, int]] = []
    for member, life in lives:
        # Of one moment, who enters comes first: a device is at risk when it breaks.
        events.append((life.entered_at, 0, member.treated, member.stratum))
        if (ended_at := life.ended_at(until, silent_s)) is not None:
            events.append((max(ended_at, life.entered_at), 1, member.treated, member.stratum))
    at_risk: Counter[tuple[int, bool]] = Counter()
    found = []
    for _, ended, treated, stratum in sorted(events):
        if ended:
            found.append(Break(treated, at_risk[stratum, True], at_risk[stratum, False]))
        at_risk[stratum, treated] += -1 if ended else 1
    return tuple(found)
