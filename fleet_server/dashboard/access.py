"""How a page finds the fleet that it shows, and what stands at addresses that lead nowhere."""

from __future__ import annotations

from typing import Final, cast

from fastapi import Request

from fleet_server.dashboard import layout
from fleet_server.dashboard.layout import S, View
from fleet_server.fleet import Fleet
from wire.errors import NotFoundError

FLEET: Final = "tinyfleet.fleet"


def fleet_of(request: Request) -> Fleet:
    """The fleet of the application that the request came to."""
    return cast(Fleet, request.scope[FLEET])


async def serve(request: Request, view: View[S]) -> None:
    """Show a view, or say that there is no such thing."""
    try:
        await layout.serve(fleet_of(request), view)
    except NotFoundError as error:
        layout.missing(fleet_of(request), error.message)


async def nowhere(request: Request, path: str) -> None:
    """Any other address."""
    layout.missing(fleet_of(request), f"There is no page at /{path[:200]}.")
