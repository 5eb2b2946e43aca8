"""Small elements that are made once and then only change what differs. Text is always text, never HTML."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from nicegui import ui

from fleet_server.dashboard import format as fmt
from fleet_server.store import Row

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
TONES = ("ok", "busy", "warn", "bad", "idle", "accent")


def box(classes: str, tag: str = "div") -> ui.element:
    """A container that the stylesheet lays out."""
    return ui.element(tag).classes(classes)


def text(content: str = "", classes: str = "", tag: str = "div") -> ui.label:
    """Plain text in an element of our choice."""
    label = ui.label(content).classes(classes)
    label.tag = tag
    return label


def recolour(element: ui.element, tone: str) -> None:
    """Give an element the colour of a tone, in place of the one it had."""
    element.classes(add=f"tone-{tone}", remove=" ".join(f"tone-{other}" for other in TONES if other != tone))


def card(title: str, classes: str = "") -> ui.element:
    """A section with a heading; enter it to fill it."""
    section = box(f"card {classes}", "section").props(f'aria-label="{title}"')
    with section:
        text(title, tag="h2")
    return section


class Chip:
    """A state: a word, with a mark of the same meaning."""

    def __init__(self) -> None:
        self._label = text(tag="span")

    def show(self, state: str | None, words: str | None = None, tone: str | None = None) -> None:
        """Change word and colour."""
        self._label.text = words if words is not None else fmt.words(state)
        self._label.classes(replace=f"chip tone-{tone or fmt.tone(state)}")


class Tile:
    """One number with its name."""

    def __init__(self, name: str) -> None:
        with box("card tile"):
            with box("figure"):
                self._value = text(classes="value")
                self._of = text(classes="of")
            text(name)
            self._note = text(classes="note")

    def show(self, value: int, of: int | None = None, note: str = "", tone: str = "") -> None:
        """Change the number, what it is a part of, and the remark below."""
        self._value.text = f"{value:,}"
        self._value.style(f"color: var(--{tone or 'ink'})")
        self._of.text = "" if of is None else f"of {of:,}"
        self._note.text = note


class Keyed(Generic[K, V]):
    """Children of ``parent`` that follow a list: made once a key, moved, and deleted with their key."""

    def __init__(self, parent: ui.element, make: Callable[[], tuple[ui.element, V]]) -> None:
        self._parent, self._make = parent, make
        self._made: dict[K, tuple[ui.element, V]] = {}

    def sync(self, keys: Sequence[K]) -> list[V]:
        """The parts of every key, in order."""
        for key in self._made.keys() - set(keys):
            self._made.pop(key)[0].delete()
        for index, key in enumerate(keys):
            if key not in self._made:
                with self._parent:
                    self._made[key] = self._make()
            element = self._made[key][0]
            if self._parent.default_slot.children.index(element) != index:
                element.move(self._parent, index)
        return [self._made[key][1] for key in keys]


class Bar(NamedTuple):
    """One bar: what it counts, how many, in which colour."""

    name: str
    number: int
    tone: str = "accent"


class Bars:
    """Counts beside each other, as long as their share of the whole."""

    def __init__(self, title: str, empty: str) -> None:
        with card(title):
            self._empty = text(empty, "empty")
            rows = box("bars")
        self._rows: Keyed[str, tuple[ui.label, ui.label, ui.element]] = Keyed(rows, self._make)

    def show(self, bars: Sequence[Bar]) -> None:
        """Change names, numbers and lengths."""
        total = sum(bar.number for bar in bars)
        self._empty.visible = not bars
        parts = self._rows.sync([bar.name for bar in bars])
        for bar, (name, count, fill) in zip(bars, parts, strict=True):
            name.text, count.text = bar.name, f"{bar.number:,}"
            recolour(fill, bar.tone)
            fill.style(f"width: {100 * bar.number / max(1, total):.1f}%")

    @staticmethod
    def _make() -> tuple[ui.element, tuple[ui.label, ui.label, ui.element]]:
        with box("bar") as row:
            name, count = text(classes="name"), text()
            with box("track"):
                fill = ui.element()
        return row, (name, count, fill)


class Feed:
    """What happened, newest first."""

    def __init__(self, title: str, empty: str, *, subjects: bool = True) -> None:
        self._subjects = subjects
        with card(title):
            self._empty = text(empty, "empty")
            items = box("feed")
        self._items: Keyed[int, tuple[ui.label, ui.label, ui.label]] = Keyed(items, self._make)

    def show(self, events: Sequence[Row], now: float) -> None:
        """Add what is new; the ages of the rest change in place."""
        self._empty.visible = not events
        parts = self._items.sync([event["id"] for event in events])
        for event, (what, when, subject) in zip(events, parts, strict=True):
            what.text, when.text = fmt.happening(event), fmt.ago(event["at"], now)
            subject.text = event["subject"] if self._subjects else ""

    @staticmethod
    def _make() -> tuple[ui.element, tuple[ui.label, ui.label, ui.label]]:
        with box("item") as item:
            parts = text(classes="text"), text(classes="when"), text(classes="subject")
        return item, parts


class Facts:
    """Names and values that rarely change."""

    def __init__(self, names: Iterable[str]) -> None:
        self._values: dict[str, ui.label] = {}
        with box("facts", "dl"):
            for name in names:
                with ui.element():
                    text(name, tag="dt")
                    self._values[name] = text(tag="dd")

    def show(self, values: dict[str, Any]) -> None:
        """Change values by name."""
        for name, value in values.items():
            self._values[name].text = str(value)
