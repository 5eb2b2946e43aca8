"""Which devices a filter means. Pure: devices in, yes or no out."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from fleet_server.filter_expression import (
    Among,
    And,
    Compare,
    Expression,
    Has,
    Like,
    Not,
    Operator,
    Or,
    Value,
    tag_of,
)
from fleet_server.filter_syntax import parse

__all__ = ["Device", "Expression", "matches", "parse"]

_HOLDS: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as filters see it; None is what it never reported."""

    device: str
    presence: str
    board: str | None = None
    target: str | None = None
    runtime: str | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    model: str | None = None
    version: int | None = None
    tags: Mapping[str, tuple[str, ...]] = {}
    """What operators say of it: a tag's values by its name, ``group`` and ``region`` among them."""


def matches(expression: Expression, device: Device) -> bool:
    """Whether the expression holds for the device.

    A comparison of any kind, ``!=`` and ``not in`` too, is false when the device has no value. With
    several values (groups), one that fits is enough, and ``!=`` and ``not in`` mean that none does.
    """
    match expression:
        case And(parts):
            return all(matches(part, device) for part in parts)
        case Or(parts):
            return any(matches(part, device) for part in parts)
        case Not(inner):
            return not matches(inner, device)
        case _:
            values = _values(device, expression.field)
            return bool(values) and _compares(expression, values)


def _compares(comparison: Compare | Among | Like | Has, values: tuple[Value, ...]) -> bool:
    match comparison:
        case Compare(_, "!=", value):
            return value not in values
        case Compare(_, name, value):
            return any(_HOLDS[name](own, value) for own in values)
        case Among(_, listed, negated):
            return any(own in listed for own in values) is not negated
        case Like(_, pattern):
            # Its regular expressions do not backtrack out of a '*', so that no pattern takes for ever.
            return any(fnmatchcase(str(own), pattern) for own in values)
        case Has():
            return True


def _values(device: Device, field: str) -> tuple[Value, ...]:
    tag = tag_of(field)
    if tag is not None:
        return device.tags.get(tag, ())
    value: Value | None = getattr(device, field)
    return () if value is None else (value,)
