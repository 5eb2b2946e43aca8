"""The FastAPI application: API, health, and the dashboard at ``/``."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fleet_server import dashboard
from fleet_server.api import alerts, devices, drift, errors, gates, health, lineage, models, rollouts, samples
from fleet_server.fleet import Fleet


def create_app(fleet: Fleet) -> FastAPI:
    """The application over a fleet that runs."""
    app = FastAPI(
        title="tinyfleet",
        version=version("tinyfleet"),
        generate_unique_id_function=_operation_id,
        docs_url=None,  # its page would load scripts from elsewhere; /openapi.json is the document
        redoc_url=None,
    )
    app.state.fleet = fleet
    # Only loopback is served: another Host means a page elsewhere has bound its name to us.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]"])
    errors.install(app)
    for module in (models, devices, rollouts, gates, alerts, drift, samples, lineage, health):
        app.include_router(module.router)
    dashboard.mount(app, fleet)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
