"""What a search found, as ``study.json`` says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from trainer.run import Metrics
from trainer.search.measured import Measured, Quantisation
from trainer.search.settings import Settings
from trainer.search.study import Known


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One trial."""

    number: int
    state: str
    """``trained`` and within the limits, ``infeasible``, or ``refused``."""
    reason: str
    hyperparameters: dict[str, Any]
    quantisation: Quantisation
    measured: Measured | None
    """Of the trained network if it was trained, else of the untrained one; None when neither runs."""
    untrained: Measured | None
    trained: bool
    accuracy_int8: float | None
    """Of the validation groups."""
    accuracy_float: float | None
    model_sha256: str
    front: bool
    seconds: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``study.json``."""

    format: int = 1
    study: str
    settings: Settings
    trials: list[Row]
    failed: int
    """Trials whose process died."""
    front: list[int]
    chosen: int | None
    """The most accurate of the front; of equals the one with the least of the first cost."""
    run: str | None
    """Its run folder."""
    metrics: Metrics | None
    """Its float accuracies; the test groups were looked at for it alone, after it was chosen."""
    next: str
    """What to do with it."""
    seconds: float
    """Wall time of the trials, added up."""


def rows(known: Iterable[Known], front: set[int]) -> list[Row]:
    """A row a trial."""
    return [
        Row(
            number=number,
            state=finished.state,
            reason=finished.reason,
            hyperparameters=point.hyperparameters,
            quantisation=point.quantisation,
            measured=finished.trained or finished.untrained,
            untrained=finished.untrained,
            trained=finished.trained is not None,
            accuracy_int8=None if finished.trained is None else finished.trained.accuracy_int8,
            accuracy_float=finished.accuracy_float,
            model_sha256=finished.model_sha256,
            front=number in front,
            seconds=finished.seconds,
        )
        for number, point, finished in known
    ]


def choose(rows: Iterable[Row], settings: Settings) -> Row | None:
    """The best of the front; None when nothing was feasible."""
    first = settings.minimise[0]

    def rank(row: Row) -> tuple[float, float, int]:
        cost = None if row.measured is None else row.measured.cost(first)
        return (-(row.accuracy_int8 or 0.0), cost or 0.0, row.number)

    return min((row for row in rows if row.front), key=rank, default=None)
