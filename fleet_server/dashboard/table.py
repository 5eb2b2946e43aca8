"""Tables that keep their place: rows change inside them, and the server sends only the page in view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from nicegui import events, ui

from fleet_server.dashboard.parts import box, text
from fleet_server.listing import Page
from fleet_server.store import Row

_HEADER: Final = """
<q-th :props="props" scope="col" :tabindex="props.col.sortable ? 0 : undefined"
      @keydown.enter="props.col.sortable && props.sort(props.col.name)">{{ props.col.label }}</q-th>"""
#: Vue interpolation escapes what it shows; ``{c}`` is a column's name, which is ours.
_CELLS: Final = {
    "link": '<q-td :props="props"><a :href="props.row.{c}_href">{{{{ props.value }}}}</a></q-td>',
    "chip": """
<q-td :props="props"><span class="chip" :class="'tone-' + props.row.{c}_tone">{{{{ props.value }}}}</span>
<span v-if="props.row.{c}_note" class="note">{{{{ props.row.{c}_note }}}}</span></q-td>""",
    "note": """
<q-td :props="props">{{{{ props.value }}}}
<span v-if="props.row.{c}_note" class="note">{{{{ props.row.{c}_note }}}}</span></q-td>""",
    "wrap": '<q-td :props="props" class="wrap">{{{{ props.value }}}}</q-td>',
    "progress": """
<q-td :props="props"><span class="track mini"><span v-for="part in props.row.{c}_parts"
:class="'tone-' + part[0]" :style="{{width: part[1] + '%'}}"></span></span>{{{{ props.value }}}}</q-td>""",
}


class Column(NamedTuple):
    """One column; ``kind`` is how its cells look."""

    name: str
    label: str
    kind: str = "text"
    sort: bool = False
    right: bool = False
    wide: bool = False
    """Left out on phones."""


class Table:
    """Rows of columns, without paging."""

    def __init__(self, columns: Sequence[Column], *, key: str, empty: str, page_size: int = 0) -> None:
        pagination = {"rowsPerPage": page_size, "page": 1, "rowsNumber": 0} if page_size else None
        self._table = ui.table(
            rows=[], columns=[_column(c) for c in columns], row_key=key, pagination=pagination
        )
        self._table.props(f'flat dense no-data-label="{empty}" hide-selected-banner binary-state-sort')
        self._table.props(f":rows-per-page-options=[{page_size}]")
        self._table.classes("full-width")
        self._table.add_slot("header-cell", _HEADER)
        for column in columns:
            if column.kind in _CELLS:
                self._table.add_slot(f"body-cell-{column.name}", _CELLS[column.kind].format(c=column.name))

    def reshape(self, columns: Sequence[Column]) -> None:
        """Change the columns."""
        described = [_column(column) for column in columns]
        if described != self._table.columns:
            self._table.columns = described

    def show(self, rows: list[Row]) -> None:
        """Change the rows; those with a known key stay the same elements."""
        if rows != self._table.rows:
            self._table.rows = rows


class PagedTable(Table):
    """A table whose filter, order and page are applied by the database; they survive every refresh."""

    def __init__(
        self,
        title: str,
        columns: Sequence[Column],
        *,
        key: str,
        empty: str,
        changed: Callable[[], Awaitable[None]],
        page_size: int = 25,
        sort: str = "",
    ) -> None:
        self.page = Page(limit=page_size, sort=sort)
        self._changed = changed
        with box("card", "section").props(f'aria-label="{title}"'):
            with box("toolbar"):
                text(title, tag="h2")
                self._search(title)
            super().__init__(columns, key=key, empty=empty, page_size=page_size)
        self._table.on("request", self._turn, ["pagination"])

    def fill(self, rows: list[Row], total: int) -> None:
        """Show the page's rows of ``total``."""
        if self._table.pagination.get("rowsNumber") != total:
            self._table.pagination = {**self._table.pagination, "rowsNumber": total}
        self.show(rows)

    def _search(self, title: str) -> None:
        field = ui.input(placeholder="Filter", on_change=self._filter)
        field.props(f'dense outlined clearable debounce=200 type=search aria-label="Filter {title.lower()}"')
        with field.add_slot("prepend"):
            ui.icon("search")

    async def _filter(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        self.page = msgspec.structs.replace(self.page, text=(event.value or "")[:200], offset=0)
        self._table.pagination = {**self._table.pagination, "page": 1}
        await self._changed()

    async def _turn(self, event: events.GenericEventArguments) -> None:
        asked = event.args["pagination"]
        number = max(1, int(asked.get("page") or 1))
        self.page = msgspec.structs.replace(
            self.page,
            sort=str(asked.get("sortBy") or ""),
            descending=bool(asked.get("descending")),
            offset=(number - 1) * self.page.limit,
        )
        kept = {name: asked.get(name) for name in ("sortBy", "descending")}
        self._table.pagination = {**self._table.pagination, **kept, "page": number}
        await self._changed()


def _column(column: Column) -> dict[str, Any]:
    hidden = "wide" if column.wide else ""
    return {
        "name": column.name,
        "label": column.label,
        "field": column.name,
        "sortable": column.sort,
        "align": "right" if column.right else "left",
        "classes": hidden,
        "headerClasses": hidden,
    }
