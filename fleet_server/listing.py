"""One page of a long table: filtered, sorted and cut by the database, so that a refresh stays cheap."""

from __future__ import annotations

from typing import Final

import msgspec

from fleet_server.store import Row, Store

MAX_WORDS: Final = 8


class Page(msgspec.Struct, frozen=True):
    """Which rows to show."""

    text: str = ""
    """Words that a row must all contain, in any case."""
    sort: str = ""
    descending: bool = False
    limit: int = 25
    offset: int = 0


class _Table(msgspec.Struct, frozen=True):
    """A query whose columns can be searched and sorted; every text here is ours, never a user's."""

    source: str
    search: str
    """SQL of the text that the words are looked for in."""
    sorts: dict[str, str]
    """Name of a sort to its SQL."""
    key: str
    """Column that makes the order total."""


_DEVICES: Final = _Table(
    source="SELECT * FROM devices",
    search="""device || ' ' || presence || ' ' || ifnull(board, '') || ' ' || ifnull(target, '') || ' '
        || ifnull(model || ' v' || version, '') || ' ' || ifnull(replace(state, '_', ' '), '') || ' '
        || ifnull(replace(reason, '_', ' '), '') || ' ' || ifnull(detail, '')""",
    sorts={
        "device": "device", "presence": "presence", "board": "board", "version": "version",
        "state": "state", "seen": "seen_at",
    },
    key="device",
)  # fmt: skip

_MEMBERS: Final = _Table(
    source="""
        SELECT m.device, m.stage, m.arm, m.refused, a.state, a.reason, a.detail, a.downloaded_bytes,
               r.state AS restored, r.downloaded_bytes AS restore_downloaded_bytes
        FROM rollout_devices m
        LEFT JOIN assignments a ON a.rollout = m.rollout AND a.device = m.device AND a.replaced = 0
        LEFT JOIN assignments r ON r.restores = m.rollout AND r.device = m.device AND r.replaced = 0
        WHERE m.rollout = :rollout""",
    search="""device || ' ' || ifnull(replace(state, '_', ' '), 'waiting') || ' '
        || ifnull(replace(reason, '_', ' '), '') || ' ' || ifnull(detail, '') || ' ' || ifnull(refused, '')
        || ' stage ' || ifnull(stage + 1, '-')""",
    sorts={
        "device": "device", "stage": "ifnull(stage, 1000)", "state": "state",
        "downloaded": "downloaded_bytes", "restored": "restored",
    },
    key="device",
)  # fmt: skip


def devices(store: Store, page: Page) -> tuple[list[Row], int]:
    """A page of devices, and how many match."""
    return _cut(store, _DEVICES, page, {})


def members(store: Store, rollout: int, page: Page) -> tuple[list[Row], int]:
    """A page of a rollout's devices, the refused ones too, and how many match."""
    return _cut(store, _MEMBERS, page, {"rollout": rollout})


def _cut(store: Store, table: _Table, page: Page, parameters: Row) -> tuple[list[Row], int]:
    words = {f"word{i}": word.lower() for i, word in enumerate(page.text.split()[:MAX_WORDS])}
    wanted = " AND ".join(f"instr(lower({table.search}), :{name})" for name in words) or "1"
    matching = f"FROM ({table.source}) WHERE {wanted}"
    direction = "DESC" if page.descending else "ASC"
    order = f"{table.sorts.get(page.sort, table.key)} {direction}, {table.key}"
    values = {**parameters, **words}
    total = store.row(f"SELECT count(*) AS n {matching}", values)
    rows = store.rows(
        f"SELECT * {matching} ORDER BY {order} LIMIT :limit OFFSET :offset",
        {**values, "limit": page.limit, "offset": page.offset},
    )
    return rows, total["n"] if total else 0
