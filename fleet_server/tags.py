"""Tags: what operators say of devices. No message of a device ever sets one.

A tag has one value; ``group`` alone has as many as the groups that the device is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from sqlite_utils import Database

from fleet_server import events
from fleet_server.device_filter import Device
from fleet_server.filter_expression import MAX_TAG_NAME, TAG_NAME
from fleet_server.store import Row
from wire.errors import InputError
from wire.topics import check_device_id

GROUP: Final = "group"
#: Most names of tags a device has, as Mender allows.
MAX_TAGS: Final = 20
#: Most groups a device is in.
MAX_GROUPS: Final = 20
#: Longest value, characters.
MAX_VALUE: Final = 128

Tags: TypeAlias = dict[str, tuple[str, ...]]
"""Values by name, sorted; none is empty."""
Shown: TypeAlias = dict[str, str | list[str]]
"""Tags as the API shows them: ``group`` is a list, the others are text."""
Given: TypeAlias = Mapping[str, str | list[str] | None]
"""New tags as the API takes them: None, or no group, removes."""
Query: TypeAlias = Callable[[str, tuple[Any, ...]], Iterable[Row]]
"""``Database.query`` within a transaction, ``Store.rows`` outside."""

_COLUMNS: Final = "device, presence, board, target, runtime, ram_bytes, flash_bytes, model, version"


def change(db: Database, device: str, given: Given, by: str, now: float) -> Shown:
    """Replace or remove the named tags, leave the others, and record who changed what.

    Raises WireError (device id) or InputError (name, value, count); then nothing is changed.
    """
    check_device_id(device)
    changes = {_checked_name(name): _checked_values(name, values) for name, values in given.items()}
    before = read(db.query, device)
    after = {name: values for name, values in {**before, **changes}.items() if values}
    if len(after) > MAX_TAGS:
        raise InputError("too_many_tags", f"{device} would have {len(after)} tags", f"keep to {MAX_TAGS}")
    if after != before:
        _replace(db, device, changes)
        events.record(db, now, "tag", device, f"{by}: {_difference(before, after)}")
    return shown(after)


def read(query: Query, device: str) -> Tags:
    """Tags of one device, seen or not; empty when it has none."""
    return read_range(query, device, device).get(device, {})


def read_range(query: Query, first: str, last: str) -> dict[str, Tags]:
    """Tags of the devices from ``first`` to ``last``, by device; who has none is left out."""
    return _by_device(
        query(
            """SELECT device, name, value FROM device_tags WHERE device BETWEEN ? AND ?
               ORDER BY device, name, value""",
            (first, last),
        )
    )


def read_all(db: Database) -> dict[str, Tags]:
    """Tags of every device that has any."""
    return _by_device(db.query("SELECT * FROM device_tags ORDER BY device, name, value"))


def load_devices(db: Database) -> list[Device]:
    """Every device that was ever seen, as filters see it, in order of their ids: two queries."""
    tags = read_all(db)
    rows = db.query(f"SELECT {_COLUMNS} FROM devices ORDER BY device")  # noqa: S608 - a constant
    return [Device(**row, tags=tags.get(row["device"], {})) for row in rows]


def as_device(row: Row, tags: Tags) -> Device:
    """A row of ``devices`` as filters see it."""
    return Device(**{name: row[name] for name in _COLUMNS.split(", ")}, tags=tags)


def shown(tags: Tags) -> Shown:
    """Tags as the API shows them."""
    return {name: list(values) if name == GROUP else values[0] for name, values in sorted(tags.items())}


def _by_device(rows: Iterable[Row]) -> dict[str, Tags]:
    found: dict[str, Tags] = {}
    for row in rows:
        tags = found.setdefault(row["device"], {})
        tags[row["name"]] = (*tags.get(row["name"], ()), row["value"])
    return found


def _replace(db: Database, device: str, changes: Tags) -> None:
    db.conn.executemany(
        "DELETE FROM device_tags WHERE device = ? AND name = ?", [(device, name) for name in changes]
    )
    db.conn.executemany(
        "INSERT INTO device_tags VALUES (?, ?, ?)",
        [(device, name, value) for name, values in changes.items() for value in values],
    )


def _difference(before: Tags, after: Tags) -> str:
    names = sorted(name for name in before | after if before.get(name) != after.get(name))
    return "; ".join(f"{name} {_words(before.get(name))} -> {_words(after.get(name))}" for name in names)


def _words(values: tuple[str, ...] | None) -> str:
    return ", ".join(map(repr, values)) if values else "none"


def _checked_name(name: str) -> str:
    if not TAG_NAME.fullmatch(name):
        hint = f"a letter, then letters, digits, '_' and '-', at most {MAX_TAG_NAME}"
        raise InputError("bad_tag", f"a tag cannot be called {name[:80]!r}", hint)
    return name


def _checked_values(name: str, given: str | list[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, list) and name != GROUP:
        raise InputError("bad_tag", f"tag {name} has one value", f"only {GROUP} takes several")
    values = sorted({given} if isinstance(given, str) else set(given))
    if len(values) > MAX_GROUPS:
        raise InputError("too_many_groups", f"{len(values)} groups", f"keep to {MAX_GROUPS}")
    for value in values:
        if not value or len(value) > MAX_VALUE or not value.isprintable() or value != value.strip():
            raise InputError(
                "bad_tag",
                f"tag {name} cannot be {value[:80]!r}",
                f"1-{MAX_VALUE} printable characters without spaces around; null or --remove takes it away",
            )
    return tuple(values)
