"""The words, numbers, quoted texts and signs of a device filter, each with its column."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, cast

from wire.errors import InputError

Kind = Literal["text", "number", "word", "sign", "end"]
_EXAMPLE: Final = "such as: board like 'rpi-*' and version < 3 and not group == 'lab'"
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>'(?:[^']|'')*' | "(?:[^"]|"")*")
      | (?P<number>-?[0-9]+)
      | (?P<word>[A-Za-z][A-Za-z0-9_.-]*)
      | (?P<sign>==|!=|<=|>=|[<>(),])""",
    re.ASCII | re.VERBOSE,
)
_MAX_SHOWN: Final = 40


class Token(NamedTuple):
    """A piece of the text as it was written, quotes included."""

    kind: Kind
    text: str
    column: int
    """Where it begins, from 1."""

    @property
    def shown(self) -> str:
        """The piece for an error's one line: quoted, cut, without control characters."""
        cut = self.text[:_MAX_SHOWN].encode("unicode_escape").decode()
        return cut if self.kind == "text" else f"'{cut}'"


def tokens(text: str) -> list[Token]:
    """All pieces and an ``end`` just behind the last; InputError for what is none."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text[at], at + 1)
        if match.lastgroup != "space":
            found.append(Token(cast(Kind, match.lastgroup), match.group(), at + 1))
        at = match.end()
    end = found[-1].column + len(found[-1].text) if found else 1
    return [*found, Token("end", "", end)]


def error_at(column: int, message: str, hint: str = _EXAMPLE) -> InputError:
    """The error of a filter: where, what, and an example."""
    return InputError("bad_filter", f"filter: column {column}: {message}", hint)


def _unreadable(character: str, column: int) -> InputError:
    if character in "'\"":
        hint = "a quote inside a text is written twice"
        return error_at(column, f"this text has no closing {character}", hint)
    if character == "=":
        return error_at(column, "expected '==', not '='")
    return error_at(column, f"cannot read {character!a}")
