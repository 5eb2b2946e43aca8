"""From the text of a device filter to its expression. Nothing is ever evaluated as code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from fleet_server.filter_expression import (
    MAX_TAG_NAME,
    NUMBER_FIELDS,
    TAG_FIELDS,
    TAG_NAME,
    TAG_PREFIX,
    TEXT_FIELDS,
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
)
from fleet_server.filter_tokens import Token, error_at, tokens
from wire.errors import InputError

#: Longest filter, characters. It bounds the values of a list too: fewer than 1,000 fit.
MAX_TEXT: Final = 2000
#: Most parentheses and ``not`` inside each other.
MAX_NESTING: Final = 32
#: Most digits of a number: what every reader of JSON holds exactly.
MAX_DIGITS: Final = 15

_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "like", "has"})
_EQUALITY: Final = ("==", "!=")
_ORDER: Final = ("<", "<=", ">", ">=")
_FIELDS: Final = (*TEXT_FIELDS, *NUMBER_FIELDS, *TAG_FIELDS)


def parse(text: str) -> Expression:
    """The expression that ``text`` writes; InputError names the column (from 1) and what was expected.

    Keep ``text`` itself where it has to be read again: the canonical text of a filter near the limit
    may be over it.
    """
    if len(text) > MAX_TEXT:
        raise error_at(MAX_TEXT + 1, f"longer than {MAX_TEXT} characters", "make a tag of what it lists")
    return _Parser(tokens(text)).whole()


class _Parser:
    """Recursive descent, one method for each rule of the grammar."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._either()
        if self._next.kind != "end":
            raise self._expected("'and', 'or' or the end")
        return expression

    def _either(self) -> Expression:
        parts = self._joined("or", self._both)
        return parts[0] if len(parts) == 1 else Or(parts)

    def _both(self) -> Expression:
        parts = self._joined("and", self._one)
        return parts[0] if len(parts) == 1 else And(parts)

    def _joined(self, word: str, rule: Callable[[], Expression]) -> tuple[Expression, ...]:
        parts = [rule()]
        while self._take(word):
            parts.append(rule())
        return tuple(parts)

    def _one(self) -> Expression:
        if self._take("not"):
            return Not(self._nested(self._one))
        if self._take("("):
            inner = self._nested(self._either)
            self._need(")", "'and', 'or' or ')'")
            return inner
        if self._take("has"):
            return Has(self._field("a field"))
        return self._comparison()

    def _nested(self, rule: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise error_at(self._last.column, f"nested deeper than {MAX_NESTING}", "take parentheses away")
        expression = rule()
        self._depth -= 1
        return expression

    def _comparison(self) -> Expression:
        field = self._field("a field, 'has', 'not' or '('")
        number = field in NUMBER_FIELDS
        operators = (*_EQUALITY, *(_ORDER if number else ("like",)))
        if self._take("in"):
            return Among(field, self._list(number))
        if self._take("not"):
            self._need("in", "'in'")
            return Among(field, self._list(number), negated=True)
        if not number and self._take("like"):
            return Like(field, cast(str, self._value(number)))
        if self._next.text not in operators:
            kind = "a number" if number else "text"
            raise self._expected(f"{' '.join(operators)} in or not in ({field} is {kind})")
        operator = cast(Operator, self._advance().text)
        return Compare(field, operator, self._value(number))

    def _list(self, number: bool) -> tuple[Value, ...]:
        self._need("(", "'('")
        values = [self._value(number)]
        while self._take(","):
            values.append(self._value(number))
        self._need(")", "',' or ')'")
        return tuple(values)

    def _value(self, number: bool) -> Value:
        if self._next.kind == "end":
            raise self._expected("a value")
        if number:
            if self._next.kind != "number" or len(self._next.text.lstrip("-")) > MAX_DIGITS:
                raise self._expected(f"a whole number of at most {MAX_DIGITS} digits")
            return int(self._advance().text)
        if self._next.kind != "text":
            raise self._expected("text in quotes")
        quoted = self._advance().text
        return quoted[1:-1].replace(quoted[0] * 2, quoted[0])

    def _field(self, expected: str) -> str:
        token = self._next
        if token.kind != "word" or token.text in _KEYWORDS:
            raise self._expected(expected)
        self._advance()
        tag = token.text.removeprefix(TAG_PREFIX)
        if tag == token.text and tag in _FIELDS:
            return tag
        if tag == token.text:
            hint = f"fields: {', '.join(_FIELDS)}, {TAG_PREFIX}NAME"
            raise error_at(token.column, f"there is no field {token.shown}", hint)
        if not TAG_NAME.fullmatch(tag):
            hint = f"a letter, then letters, digits, '_' and '-', at most {MAX_TAG_NAME}"
            raise error_at(token.column, f"{token.shown} cannot be a tag", hint)
        return tag if tag in TAG_FIELDS else token.text

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    @property
    def _last(self) -> Token:
        return self._tokens[self._at - 1]

    def _advance(self) -> Token:
        self._at += 1
        return self._last

    def _take(self, text: str) -> bool:
        if self._next.text != text:
            return False
        self._advance()
        return True

    def _need(self, text: str, expected: str) -> None:
        if not self._take(text):
            raise self._expected(expected)

    def _expected(self, what: str) -> InputError:
        after = f" after {self._last.shown}" if self._at else ""
        found = "" if self._next.kind == "end" else f", not {self._next.shown}"
        return error_at(self._next.column, f"expected {what}{after}{found}")
