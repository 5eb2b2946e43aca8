"""Tables that keep their place: rows change inside them, and the server sends only the page in view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from nicegui import events, ui

from fleet_server.dashboard.cells import Cell, Column
from fleet_server.dashboard.parts import Keyed, box, text
from fleet_server.listing import Page
from fleet_server.store import Row

__all__ = ["Column", "PagedTable", "Table"]


class Table:
    """Rows of columns, all of them on one page."""

    def __init__(self, columns: Sequence[Column], *, key: str, empty: str) -> None:
        self._columns, self._key = list(columns), key
        self._heads: dict[str, ui.element] = {}
        with box("scroll"):
            self._table = box("", "table")
            self._fill()
        self._empty = text(empty, "empty")

    def reshape(self, columns: Sequence[Column]) -> None:
        """Change the columns."""
        if list(columns) != self._columns:
            self._columns = list(columns)
            self._table.clear()
            self._fill()

    def show(self, rows: Sequence[Row]) -> None:
        """Change the rows; those with a known key stay the same elements."""
        self._empty.visible = not rows
        for row, cells in zip(rows, self._rows.sync([row[self._key] for row in rows]), strict=True):
            for cell in cells:
                cell.show(row)

    def _fill(self) -> None:
        with self._table:
            with box("", "thead"), box("", "tr"):
                for column in self._columns:
                    self._head(column)
            self._rows: Keyed[str, list[Cell]] = Keyed(box("", "tbody"), self._make)

    def _head(self, column: Column) -> None:
        with box(column.classes, "th").props("scope=col") as head:
            text(column.label, tag="span")
        self._heads[column.name] = head

    def _make(self) -> tuple[ui.element, list[Cell]]:
        with box("", "tr") as row:
            return row, [Cell(column) for column in self._columns]


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
        self._total = 0
        with box("card", "section").props(f'aria-label="{title}"'):
            with box("toolbar"):
                text(title, tag="h2")
                self._search(title)
            super().__init__(columns, key=key, empty=empty)
            with box("pager"):
                self._where = text(classes="note")
                self._back = self._button("chevron_left", "Previous page", -1)
                self._on = self._button("chevron_right", "Next page", 1)
        self._mark()

    def fill(self, rows: Sequence[Row], total: int) -> None:
        """Show the page's rows of ``total``."""
        self._total = total
        first = self.page.offset + 1
        self._where.text = f"{first:,} to {first + len(rows) - 1:,} of {total:,}" if rows else ""
        self._back.set_enabled(self.page.offset > 0)
        self._on.set_enabled(self.page.offset + len(rows) < total)
        self.show(rows)

    def _search(self, title: str) -> None:
        field = ui.input(placeholder="Filter", on_change=self._filter)
        field.props(f'dense outlined clearable debounce=200 type=search aria-label="Filter {title.lower()}"')
        with field.add_slot("prepend"):
            ui.icon("search")

    def _button(self, icon: str, name: str, step: int) -> ui.button:
        button = ui.button(icon=icon, color=None, on_click=lambda: self._turn(step))
        button.props(f'flat dense round aria-label="{name}"')
        return button

    def _head(self, column: Column) -> None:
        if not column.sort:
            super()._head(column)
            return
        with box(column.classes, "th").props("scope=col") as head:
            button = text(column.label, tag="button").props("type=button")
            button.on("click", lambda: self._sort(column.name))
        self._heads[column.name] = head

    async def _filter(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        await self._ask(text=(event.value or "")[:200], offset=0)

    async def _sort(self, name: str) -> None:
        again = self.page.sort == name
        await self._ask(sort=name, descending=again and not self.page.descending, offset=0)
        self._mark()

    async def _turn(self, step: int) -> None:
        offset = self.page.offset + step * self.page.limit
        if 0 <= offset < self._total:
            await self._ask(offset=offset)

    async def _ask(self, **changes: str | int | bool) -> None:
        self.page = msgspec.structs.replace(self.page, **changes)
        await self._changed()

    def _mark(self) -> None:
        """Say at the column by which the rows are in order."""
        for name, head in self._heads.items():
            if name == self.page.sort:
                head.props(f"aria-sort={'descending' if self.page.descending else 'ascending'}")
            else:
                head.props(remove="aria-sort")
