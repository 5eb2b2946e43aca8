"""The kinds of statistics that are watched, and what each is in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from fleet_server.drift import profile
from fleet_server.drift.cell import Cell
from fleet_server.drift.detector import Side
from wire.sketch import CONFIDENCE_BINS, TENSOR_BINS

Kind = Literal["inputs", "answers", "accuracy"]
KINDS: Final[tuple[Kind, ...]] = ("inputs", "answers", "accuracy")
SIDES: Final[dict[Kind, Side]] = {"inputs": "both", "answers": "both", "accuracy": "below"}
_MIN_LABELS: Final = 10


class Names:
    """What channels and classes are called; numbers where nobody said."""

    def __init__(self, channels: Sequence[str], classes: Sequence[str], kind: Kind, size: int) -> None:
        """``size``: of the statistics' vector, which tells how many there are."""
        n_classes = size - TENSOR_BINS - CONFIDENCE_BINS if kind == "answers" else len(classes)
        n_channels = size // 2 if kind == "inputs" else len(channels)
        self.classes = _named(classes, n_classes, "class")
        self.channels = _named(channels, n_channels, "channel")


def values(kind: Kind, cell: Cell) -> tuple[float, ...]:
    """Of one look; empty when it says nothing of this kind."""
    if kind == "inputs":
        return cell.input_values()
    if kind == "answers":
        return cell.answer_values()
    return cell.accuracy_values(_MIN_LABELS)


def describe(kind: Kind, place: int, usual: float, now: float, names: Names) -> str:
    """How statistic ``place`` moved, such as ``mean of ax from 0.12 to 0.71``."""
    if kind == "accuracy":
        return f"accuracy from {profile.share(usual):.0%} to {profile.share(now):.0%}"
    if kind == "answers":
        what = _answer(place, names)
        return f"share of {what} from {profile.share(usual):.0%} to {profile.share(now):.0%}"
    channels = len(names.channels)
    if place < channels:
        return f"mean of {names.channels[place]} from {usual:.3g} to {now:.3g}"
    times = math.exp(max(-50.0, min(50.0, now - usual)))
    return f"spread of {names.channels[place - channels]} times {times:.2g}"


def _answer(place: int, names: Names) -> str:
    if place < TENSOR_BINS:
        low = 256 // TENSOR_BINS * place - 128
        return f"int8 inputs of {low} to {low + 256 // TENSOR_BINS - 1}"
    place -= TENSOR_BINS
    if place < len(names.classes):
        return names.classes[place]
    low = 100 // CONFIDENCE_BINS * (place - len(names.classes))
    return f"confidence {low} to {low + 100 // CONFIDENCE_BINS} %"


def _named(names: Sequence[str], wanted: int, what: str) -> tuple[str, ...]:
    return tuple(names) if len(names) == wanted else tuple(f"{what} {place}" for place in range(wanted))
