"""What a model really needs on a board, and what a search is allowed to spend.

The trainer knows no converter: a search is given a function that measures a run folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

Quantisation = Literal["int8", "int8-qat", "int16"]
"""``int8-qat`` fine-tunes with the rounding in place; ``int16`` has int16 activations between int8 ends."""
Cost = Literal["latency", "ram", "flash"]
COSTS: Final[tuple[Cost, ...]] = ("latency", "ram", "flash")
UNITS: Final[dict[Cost, str]] = {"latency": "ms", "ram": "bytes", "flash": "bytes"}
RUNS: Final = "runs"
"""The constraint that a model runs at all."""


class OnBoard(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one board."""

    reason: str = ""
    """Why it does not run or fit there, whatever the limits; empty when it does."""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    latency_ms: float | None = None
    latency_of: str = ""
    """Where the latency is from, or why there is none."""

    def cost(self, name: Cost) -> float | None:
        """One of its costs, in the unit of its name."""
        return {"latency": self.latency_ms, "ram": self.ram_bytes, "flash": self.flash_bytes}[name]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One quantised model on every board of a search."""

    boards: dict[str, OnBoard]
    accuracy_int8: float | None = None
    """Of the run folder's evaluation windows."""
    bytes: int = 0
    """Of the ``.tflite``."""

    def cost(self, name: Cost) -> float | None:
        """The worst over the boards; None when it is not known of one."""
        values = [board.cost(name) for board in self.boards.values()]
        known = [value for value in values if value is not None]
        return max(known) if len(known) == len(values) and known else None


class Measure(Protocol):
    """Quantise and measure a run folder; InputError or RefusedError in the converter's words."""

    def __call__(self, folder: Path, boards: Sequence[str], quantisation: Quantisation, /) -> Measured: ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a model may take besides fitting the board; None for anything that fits."""

    max_latency_ms: float | None = None
    max_ram_bytes: int | None = None
    max_flash_bytes: int | None = None
    known: tuple[Cost, ...] = ()
    """Costs that must be known, limit or none, because they are minimised."""

    def of(self, name: Cost) -> float | None:
        """The limit of one cost; infinite when it only has to be known, None when nobody asks."""
        limit = {"latency": self.max_latency_ms, "ram": self.max_ram_bytes, "flash": self.max_flash_bytes}[
            name
        ]
        return math.inf if limit is None and name in self.known else limit


def excess(measured: Measured, limits: Limits) -> Mapping[str, float]:
    """By constraint, the part of the limit by which it is broken: above 0 is broken."""
    found = {f"{RUNS} {name}": float(bool(board.reason)) for name, board in measured.boards.items()}
    for name, board in measured.boards.items():
        for cost in COSTS:
            limit, value = limits.of(cost), board.cost(cost)
            if limit is not None:
                found[f"{cost} {name}"] = 1.0 if value is None else value / limit - 1
    return found


def objection(measured: Measured, limits: Limits) -> str:
    """In words, everything that is in the way; empty when nothing is."""
    against = []
    for name, board in measured.boards.items():
        if board.reason:
            against.append(f"{name}: {board.reason}")
        for cost in COSTS:
            limit, value = limits.of(cost), board.cost(cost)
            if limit is not None and value is None:
                against.append(f"{name}: {cost} is not known ({board.latency_of})")
            elif limit is not None and value is not None and value > limit:
                against.append(f"{name}: {cost} of {value:,g} {UNITS[cost]}, at most {limit:,g} allowed")
    return "; ".join(against)
