"""The dashboard: NiceGUI pages on the API's own application, read-only, everything served from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import nicegui
from fastapi import FastAPI
from nicegui import core, ui
from starlette.routing import Match, Mount
from starlette.types import Scope

from fleet_server.dashboard import (
    alert_page,
    alerts_page,
    device_page,
    fleet_page,
    model_page,
    rollout_page,
    rollouts_page,
)
from fleet_server.dashboard.access import FLEET, nowhere
from fleet_server.dashboard.style import FAVICON
from fleet_server.fleet import Fleet

#: What the API answers itself, also when it has no such route.
_API: Final = ("/api/", "/healthz", "/metrics")


class _Pages(Mount):
    """NiceGUI's application is one a process; each of ours hands it its own fleet with the request."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__("", app=nicegui.app)
        self._fleet = fleet

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(_API):
            return Match.NONE, {}
        match, child = super().matches(scope)
        return match, {**child, FLEET: self._fleet}


def mount(app: FastAPI, fleet: Fleet) -> None:
    """Serve the dashboard at ``/``. Nothing is kept about visitors: no cookie, no storage, no secret."""
    # A process may make several applications one after the other; NiceGUI counts on one.
    nicegui.app.middleware_stack = None
    nicegui.app.user_middleware.clear()
    # Same origin only: a page elsewhere cannot open the socket, although a browser lets it try.
    core.sio.eio.cors_allowed_origins = None
    pages: dict[str, Callable[..., Awaitable[None]]] = {
        "/": fleet_page.page,
        "/rollouts": rollouts_page.page,
        "/rollouts/{number}": rollout_page.page,
        "/models": model_page.page,
        "/alerts": alerts_page.page,
        "/alerts/{number}": alert_page.page,
        "/devices/{device}": device_page.page,
        "/{path:path}": nowhere,
    }
    for address, page in pages.items():
        ui.page(address)(page)
    ui.run_with(
        app, title="tinyfleet", favicon=FAVICON, dark=None, tailwind=False, show_welcome_message=False,
        language="en-GB", binding_refresh_interval=None,
    )  # fmt: skip
    app.router.routes.pop()  # run_with's own mount: it would answer for the API, and knows no fleet
    app.router.routes.append(_Pages(fleet))
