"""Strategies for filters and devices, and what SQLite says of them: written without a look at the product."""

import sqlite3

from hypothesis import strategies as st

from fleet_server.device_filter import Device
from fleet_server.filter_expression import Among, And, Compare, Expression, Has, Like, Not, Or

TEXTS = ("device", "board", "target", "model", "presence", "runtime")
NUMBERS = ("version", "ram_bytes", "flash_bytes")
TAGS = ("group", "region", "tag.site", "tag.Floor-2")
WORDS = st.sampled_from(["a", "ab", "b", "rpi-4", "rpi-5", "it's", 'say "x"', "ü", ""])
SMALL = st.integers(-1, 4)


def _device(text: st.SearchStrategy[str]) -> st.SearchStrategy[Device]:
    some_text, some_number = st.none() | text, st.none() | SMALL
    values = st.lists(text, min_size=1, max_size=3, unique=True).map(tuple)
    names = st.sampled_from(["group", "region", "site", "Floor-2"])
    return st.builds(
        Device, device=text, presence=text, board=some_text, target=some_text, runtime=some_text,
        model=some_text, version=some_number, ram_bytes=some_number, flash_bytes=some_number,
        tags=st.dictionaries(names, values),
    )  # fmt: skip


def _leaf(text: st.SearchStrategy[str]) -> st.SearchStrategy[Expression]:
    words, numbers = st.sampled_from(TEXTS + TAGS), st.sampled_from(NUMBERS)
    equality = st.sampled_from(["==", "!="])
    order = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(Compare, words, equality, text),
        st.builds(Compare, numbers, order, SMALL),
        st.builds(Among, words, st.lists(text, min_size=1, max_size=4).map(tuple), st.booleans()),
        st.builds(Among, numbers, st.lists(SMALL, min_size=1, max_size=4).map(tuple), st.booleans()),
        st.builds(Like, words, st.text("ab*?r-", max_size=5)),
        st.builds(Has, words | numbers),
    )


def _tree(leaf: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def wider(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(And, parts) | st.builds(Or, parts)

    return st.recursive(leaf, wider, max_leaves=8)


DEVICES = _device(WORDS)
FILTERS = _tree(_leaf(WORDS))
#: Filters whose texts hold anything at all; they are only written and read again.
ODD_FILTERS = _tree(_leaf(st.text(max_size=8)))


def sqlite_says(expression: Expression, device: Device) -> bool:
    """The filter as an SQL condition over one table of (field, value)."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE facts (field, value)")
    facts = [(field, getattr(device, field)) for field in TEXTS + NUMBERS]
    for name, values in device.tags.items():
        field = name if name in ("group", "region") else f"tag.{name}"
        facts += [(field, value) for value in values]
    db.executemany("INSERT INTO facts VALUES (?, ?)", [fact for fact in facts if fact[1] is not None])
    values: list[object] = []
    answer = db.execute(f"SELECT {_sql(expression, values)}", values).fetchone()[0]
    db.close()
    return bool(answer)


def _sql(expression: Expression, values: list[object]) -> str:
    match expression:
        case And(parts):
            return "(" + " AND ".join(_sql(part, values) for part in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(_sql(part, values) for part in parts) + ")"
        case Not(inner):
            return f"(NOT {_sql(inner, values)})"
        case Has(field):
            return _exists(field, "1", [], values)
        case Like(field, pattern):
            return _exists(field, "value GLOB ?", [pattern], values)
        case Among(field, listed, negated):
            condition = f"value IN ({', '.join('?' * len(listed))})"
            return _any_or_none(field, condition, list(listed), values, none=negated)
        case Compare(field, operator, value):
            condition = "value = ?" if operator == "!=" else f"value {operator} ?"
            return _any_or_none(field, condition, [value], values, none=operator == "!=")


def _any_or_none(field: str, condition: str, given: list[object], values: list[object], none: bool) -> str:
    if not none:
        return _exists(field, condition, given, values)
    some = _exists(field, "1", [], values)
    return f"({some} AND NOT {_exists(field, condition, given, values)})"


def _exists(field: str, condition: str, given: list[object], values: list[object]) -> str:
    values += [field, *given]
    return f"EXISTS (SELECT 1 FROM facts WHERE field = ? AND {condition})"  # noqa: S608 - values are bound
