"""Published latencies of known models on known boards: ``data/mlperf_tiny.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from converter.macs import Work

_FILE: Final = "data/mlperf_tiny.toml"


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """The software that was measured."""

    title: str
    source: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one submission reported of one board, per model."""

    stack: str
    board: str
    core: str
    clock_mhz: float
    inferences_per_s: dict[str, float] = {}
    latency_ms: dict[str, float] = {}

    @property
    def cycles(self) -> dict[str, float]:
        """Clock cycles of one inference, per model."""
        rates = {model: 1e6 * self.clock_mhz / rate for model, rate in self.inferences_per_s.items()}
        return rates | {model: 1e3 * self.clock_mhz * each for model, each in self.latency_ms.items()}


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    license: str
    stacks: dict[str, Stack]
    models: dict[str, Work]
    results: tuple[Result, ...]


class Row(NamedTuple):
    """One model on one board."""

    core: str
    board: str
    model: str
    work: Work
    cycles: float


@cache
def load() -> Calibration:
    """The published results."""
    text = files("converter").joinpath(_FILE).read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Calibration)


def rows(stack: str) -> list[Row]:
    """All rows of one stack, in the file's order."""
    data = load()
    return [
        Row(result.core, result.board, model, data.models[model], cycles)
        for result in data.results
        if result.stack == stack
        for model, cycles in result.cycles.items()
    ]
