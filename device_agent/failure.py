"""From an error to the reason code that travels on the wire."""

from __future__ import annotations

from typing import Final

from wire.errors import FleetError, LinkError, StoreError, TrustError, WireError
from wire.states import Reason

_FAMILIES: Final[tuple[tuple[type[FleetError], Reason], ...]] = (
    (StoreError, Reason.STORAGE),
    (LinkError, Reason.LINK_LOST),
    (TrustError, Reason.UNTRUSTED),
    (WireError, Reason.MALFORMED),
)


def reason_of(error: FleetError) -> Reason:
    """The reason an error names itself, else that of its family."""
    try:
        return Reason(error.code)
    except ValueError:
        return next((r for family, r in _FAMILIES if isinstance(error, family)), Reason.RUNTIME_REFUSED)
