"""What a device filter says, as data; ``str()`` of it is its canonical text (grammar: docs/filters.md)."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

import msgspec

TEXT_FIELDS: Final = ("device", "board", "target", "model", "presence", "runtime")
NUMBER_FIELDS: Final = ("version", "ram_bytes", "flash_bytes")
#: Tags so common that their names stand for themselves; ``tag.region`` is ``region``.
TAG_FIELDS: Final = ("group", "region")
TAG_PREFIX: Final = "tag."
#: Longest name of a tag, characters.
MAX_TAG_NAME: Final = 64
TAG_NAME: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{MAX_TAG_NAME - 1}}}")

Value: TypeAlias = str | int
Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]


class Compare(msgspec.Struct, frozen=True):
    """``board == 'rpi-4'``, ``version < 3``."""

    field: str
    operator: Operator
    value: Value

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {_literal(self.value)}"


class Among(msgspec.Struct, frozen=True):
    """``region in ('eu', 'us')``; all values are of the field's type."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False

    def __str__(self) -> str:
        word = "not in" if self.negated else "in"
        return f"{self.field} {word} ({', '.join(map(_literal, self.values))})"


class Like(msgspec.Struct, frozen=True):
    """``board like 'rpi-*'``: a shell pattern of ``*``, ``?`` and ``[...]`` over the whole value."""

    field: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.field} like {_literal(self.pattern)}"


class Has(msgspec.Struct, frozen=True):
    """``has tag.site``: the device has any value of it."""

    field: str

    def __str__(self) -> str:
        return f"has {self.field}"


class Not(msgspec.Struct, frozen=True):
    """``not ...``, of one part."""

    inner: Expression

    def __str__(self) -> str:
        return f"not {_within(self.inner, And, Or)}"


class And(msgspec.Struct, frozen=True):
    """Two or more parts that all hold."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(_within(part, And, Or) for part in self.parts)


class Or(msgspec.Struct, frozen=True):
    """Two or more parts of which one holds."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(_within(part, Or) for part in self.parts)


Expression: TypeAlias = Compare | Among | Like | Has | Not | And | Or


def tag_of(field: str) -> str | None:
    """Name of the operator's tag that a field reads; None when the device itself reports the field."""
    if field in TAG_FIELDS:
        return field
    return field.removeprefix(TAG_PREFIX) if field.startswith(TAG_PREFIX) else None


def _within(part: Expression, *looser: type[And | Or]) -> str:
    return f"({part})" if isinstance(part, looser) else str(part)


def _literal(value: Value) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
