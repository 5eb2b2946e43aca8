"""One axis of a picture: from values to places, and which values are marked."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_ABOUT: Final = 6
"""Marks on a linear axis, roughly."""
_MANY_DECADES: Final = 3
"""From so many on a logarithmic axis marks its powers of ten only."""


class Axis(NamedTuple):
    """From ``low`` to ``high``; a logarithmic one begins above 0."""

    title: str
    low: float
    high: float
    log: bool = False
    percent: bool = False
    """Values are shares and are shown in percent."""

    def share(self, value: float) -> float:
        """0 at ``low`` to 1 at ``high``; what lies outside is put at the nearer end."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, value))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def marks(self) -> list[float]:
        """Round values, rising."""
        return self._decades() if self.log else self._even()

    def text(self, value: float) -> str:
        """A marked value as it is written."""
        return f"{100 * value:g} %" if self.percent else f"{value:,.10g}"

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value

    def _even(self) -> list[float]:
        rough = (self.high - self.low) / _ABOUT
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(each * power for each in _STEPS if each * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(count * step, 12) for count in range(first, last + 1)]

    def _decades(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        many = math.log10(self.high / self.low) >= _MANY_DECADES
        steps = (1.0,) if many else (1.0, 2.0, 5.0)
        values = [round(step * 10.0**power, 12) for power in range(first, last + 1) for step in steps]
        return [value for value in values if self.low <= value <= self.high]
