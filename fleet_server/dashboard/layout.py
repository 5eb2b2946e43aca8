"""What all pages share: the frame, its health line, and the refresh that never reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from nicegui import ui

from fleet_server.dashboard import style
from fleet_server.dashboard.parts import Chip, box, text
from fleet_server.fleet import Fleet

REFRESH_S: Final = 1.0
_LINKS: Final = (("Fleet", "/"), ("Rollouts", "/rollouts"), ("Models", "/models"), ("Alerts", "/alerts"))
S = TypeVar("S")


class View(Protocol[S]):
    """One page: ``load`` reads in a thread, ``build`` makes the elements, ``show`` changes them."""

    title: str
    section: str

    def load(self) -> S:
        """Everything that the page shows, read from the database. NotFoundError when there is nothing."""
        ...

    def build(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Make the elements, once; ``refresh`` is for those that change what is asked for."""
        ...

    def show(self, snapshot: S) -> None:
        """Bring the elements up to date."""
        ...


async def serve(fleet: Fleet, view: View[S]) -> None:
    """Build the page with its first content, then keep it up to date for as long as it is open."""
    snapshot = await asyncio.to_thread(view.load)
    health = frame(fleet, view.title, view.section)

    async def refresh() -> None:
        view.show(await asyncio.to_thread(view.load))
        health()

    with main():
        view.build(refresh)
    view.show(snapshot)
    ui.timer(REFRESH_S, refresh, immediate=False)


def frame(fleet: Fleet, title: str, section: str) -> Callable[[], None]:
    """Title, stylesheet and header; returns what refreshes the health in it."""
    ui.page_title(f"{title} · tinyfleet")
    ui.add_head_html(f"<style>{style.CSS}</style>")
    with box("top", "header"), ui.element():
        ui.link("tinyfleet", "/").classes("brand")
        with ui.element("nav").props('aria-label="Pages"'):
            for name, address in _LINKS:
                link = ui.link(name, address)
                if name == section:
                    link.props("aria-current=page")
        return _health(fleet)


def main() -> ui.element:
    """The page's content, which the keyboard reaches first."""
    content = ui.element().classes("page")  # Quasar's page around it is the <main>
    ui.skip_link(target=content)
    return content


def missing(fleet: Fleet, message: str) -> None:
    """A page for an address that leads nowhere."""
    frame(fleet, "Not found", "")
    ui.context.client.status_code = 404
    with main():
        text("Not found", tag="h1")
        text(message, "note")


def _health(fleet: Fleet) -> Callable[[], None]:
    with box("health").props('role=status aria-label="Health"'):
        server, broker = Chip(), Chip()
        text(fleet.broker.kind, "wide")

    def show() -> None:
        # This runs on the server: whoever can read a fresh answer knows that it is up.
        server.show(None, "server up", "ok")
        if fleet.bridge.connected:
            broker.show(None, "broker connected", "ok")
        else:
            broker.show(None, "broker unreachable", "bad")

    show()
    return show
