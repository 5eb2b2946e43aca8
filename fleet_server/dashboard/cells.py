"""The cells of tables: made once, changed in place, so that focus and selection survive a refresh."""

from __future__ import annotations

from typing import Final, NamedTuple

from nicegui import ui

from fleet_server.dashboard.parts import Chip, box, text
from fleet_server.store import Row

TONES: Final = ("ok", "busy", "bad", "idle")


class Column(NamedTuple):
    """One column; ``kind`` is how its cells look, and what they read besides ``row[name]``."""

    name: str
    label: str
    kind: str = "text"
    """text, wrap, link (``_href``), note (``_note``), chip (``_tone``, ``_note``), progress (``_parts``)."""
    sort: bool = False
    right: bool = False
    wide: bool = False
    """Left out on phones."""

    @property
    def classes(self) -> str:
        """For the stylesheet."""
        return f"{'wide' if self.wide else ''} {'right' if self.right else ''} cell-{self.kind}"


class Cell:
    """One cell of one row."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._note: ui.label | None = None
        with box(column.classes, "td"):
            if column.kind == "progress":
                with box("track mini", "span"):
                    self._fills = {tone: box(f"tone-{tone}", "span") for tone in TONES}
            if column.kind == "chip":
                self._chip = Chip()
            else:
                self._text = text(tag="a" if column.kind == "link" else "span")
            if column.kind in ("chip", "note"):
                self._note = text(classes="note")

    def show(self, row: Row) -> None:
        """Change what differs."""
        name, kind = self._column.name, self._column.kind
        value = str(row.get(name, ""))
        if kind == "chip":
            self._chip.show(None, value, row[f"{name}_tone"])
        else:
            self._text.text = value
        if kind == "link" and (href := row.get(f"{name}_href")):
            self._text.props(f"href={href}")
        if kind == "progress":
            parts = dict(row[f"{name}_parts"])
            for tone, fill in self._fills.items():
                fill.style(f"width: {parts.get(tone, 0)}%")
        if self._note is not None:
            self._note.text = row.get(f"{name}_note", "")
            self._note.visible = bool(self._note.text)
