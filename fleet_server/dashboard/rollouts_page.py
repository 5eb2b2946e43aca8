"""``/rollouts``: every rollout, newest first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request

from fleet_server import queries
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.parts import box, text
from fleet_server.dashboard.table import Column, Table
from fleet_server.store import Row, Store

_COLUMNS = (
    Column("id", "Rollout", "link"),
    Column("what", "Version"),
    Column("state", "State", "chip"),
    Column("progress", "Devices told", "progress"),
    Column("stage", "Stage", wide=True),
    Column("reason", "Why", "wrap", wide=True),
    Column("begun", "Begun", right=True, wide=True),
)

#: Rollouts on the page; the older ones are told by the API.
SHOWN = 50


async def page(request: Request) -> None:
    """All rollouts."""
    await serve(request, RolloutsView(fleet_of(request).store))


class RolloutsView:
    """One table."""

    title = "Rollouts"
    section = "Rollouts"

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> list[Row]:
        """All of them, of which the newest are shown."""
        return queries.rollouts(self._store)

    def build(self, _refresh: Callable[[], Awaitable[None]]) -> None:
        """Title and table."""
        text("Rollouts", tag="h1")
        with box("card", "section").props('aria-label="Rollouts"'):
            self._table = Table(_COLUMNS, key="id", empty="No rollouts yet: tinyfleet rollout create")

    def show(self, snapshot: list[Row]) -> None:
        """Bring the rows up to date."""
        now = time.time()
        self._table.show([_row(row, now) for row in snapshot[:SHOWN]])


def _row(row: Row, now: float) -> dict[str, Any]:
    bundle = row["bundle"]
    return {
        "id": f"Rollout {row['id']}",
        "id_href": f"/rollouts/{row['id']}",
        "what": fmt.version(bundle["model"], bundle["version"]),
        "state": fmt.words(row["state"]),
        "state_tone": fmt.tone(row["state"]),
        "progress": f"{row['exposed']} of {row['total']}",
        "progress_parts": parts(row["counts"], row["total"]),
        "stage": f"{row['current'] + 1} of {len(row['stages'])}",
        "reason": fmt.why(row["reason"]) or fmt.NONE,
        "begun": fmt.ago(row["created_at"], now),
    }


def parts(counts: dict[str, int], total: int) -> list[tuple[str, float]]:
    """Tone and width in percent of the parts of a progress bar: what succeeded first."""
    tones = ("ok", "busy", "bad", "idle")
    sums = {t: sum(n for state, n in counts.items() if fmt.tone(state) == t) for t in tones}
    return [(t, round(100 * n / max(1, total), 2)) for t, n in sums.items() if n]
