"""Calls that may be refused, in the one way that is allowed."""

from __future__ import annotations

from wire.errors import FleetError


def refusal(check, *args):
    """The FleetError of ``check(*args)``, or None; anything else that it raises fails the test."""
    try:
        check(*args)
    except FleetError as error:
        return error
    return None
