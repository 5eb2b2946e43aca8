"""Which numerics families run a model, found out by asking each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from wire.errors import RefusedError
from wire.states import NumericsFamily

T = TypeVar("T")


class Willing:
    """The families that have not refused yet.

    One family's refusal is raised when ``every`` family is needed, or when no other is left.
    """

    def __init__(self, families: Iterable[NumericsFamily], *, every: bool) -> None:
        self.families = sorted(set(families))
        self.refused: dict[NumericsFamily, str] = {}
        self._every = every

    def each(self, ask: Callable[[NumericsFamily], T]) -> dict[NumericsFamily, T]:
        """Answers of all that are willing; who refuses is so no longer."""
        answers: dict[NumericsFamily, T] = {}
        for family in list(self.families):
            try:
                answers[family] = ask(family)
            except RefusedError as error:
                self._turn_away(family, error)
        return answers

    def first(self, ask: Callable[[NumericsFamily], T]) -> T:
        """The answer of the first that gives one."""
        while True:
            family = self.families[0]
            try:
                return ask(family)
            except RefusedError as error:
                self._turn_away(family, error)

    def _turn_away(self, family: NumericsFamily, error: RefusedError) -> None:
        if self._every or len(self.families) == 1:
            raise error
        self.families.remove(family)
        self.refused[family] = f"{error.message} ({error.hint})" if error.hint else error.message
