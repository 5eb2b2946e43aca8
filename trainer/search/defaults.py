"""A trial that suggests a recipe's defaults, as near as its space allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from trainer.network import Hyperparameters

T = TypeVar("T")


class Defaults:
    """Answers as Optuna's trial does; ``params`` is what it was asked for and answered."""

    def __init__(self, hyper: Hyperparameters) -> None:
        self._hyper = hyper
        self.params: dict[str, Any] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The default within the bounds, on a step."""
        value = min(high, max(low, int(getattr(self._hyper, name, low))))
        return self._given(name, value if log else low + (value - low) // step * step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The default within the bounds; the lower bound for a stepped one."""
        value = min(high, max(low, float(getattr(self._hyper, name, low))))
        return self._given(name, value if step is None or log else low)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The default if it is a choice, else the first."""
        value: Any = getattr(self._hyper, name, choices[0])
        return self._given(name, value if value in choices else choices[0])

    def _given(self, name: str, value: T) -> T:
        self.params[name] = value
        return value
