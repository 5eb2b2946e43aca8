"""How far from its usual a device may be: from the baselines of all devices together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleet_server.drift.scatter import precision

Floats = NDArray[np.float64]
#: Fewer calm scores than this cannot tell anything apart.
MIN_SCORES: Final = 100
#: Least standard deviation of a statistic: of its size, and at all.
_LEAST_SHARE: Final = 1e-3
_LEAST: Final = 1e-6
#: Times of the season that are told apart.
SEASON_BINS: Final = 8


class Look(msgspec.Struct, frozen=True, array_like=True):
    """What one device reported over one look."""

    begun_at: float
    ended_at: float
    values: tuple[float, ...]
    """The statistics; see fleet_server.drift.profile."""


def phase(look: Look, season_s: float | None) -> int:
    """Which time of the season a look is of."""
    if season_s is None:
        return 0
    return int((look.begun_at + look.ended_at) / 2 % season_s / season_s * SEASON_BINS)


@dataclass(frozen=True)
class Yardstick:
    """Made from baselines, of devices that were as they are."""

    season: Floats
    """(SEASON_BINS, p): what all devices have in common at each time of the season."""
    precision: Floats
    """(p, p)."""
    calm: Floats
    """Sorted scores of baseline looks, each against the others of its device."""

    @property
    def ready(self) -> bool:
        """Whether it can tell anything."""
        return len(self.calm) >= MIN_SCORES

    def score(self, deviations: Floats, looks: int) -> Floats:
        """(n,): squared distances of ``deviations`` (n, p) from the mean of so many baseline looks each."""
        fair = deviations / np.sqrt(1.0 + 1.0 / looks)
        found: Floats = np.einsum("np,pq,nq->n", fair, self.precision, fair)
        return found


def make(baselines: Sequence[Sequence[Look]], season_s: float | None) -> Yardstick:
    """From the baseline of every device, of the same number of looks each; at least two devices' or looks."""
    values = np.array([[look.values for look in looks] for looks in baselines])
    phases = np.array([[phase(look, season_s) for look in looks] for looks in baselines])
    looks = values.shape[1]
    season = _season(values, phases)
    settled = values - season[phases]
    deviations = settled - settled.mean(axis=1, keepdims=True)
    # A look is part of its own mean: without this, baselines would seem calmer than they are.
    unbiased = deviations * np.sqrt(looks / (looks - 1))
    least = _LEAST + _LEAST_SHARE * np.abs(values).max(axis=(0, 1))
    matrix = precision(unbiased.reshape(-1, values.shape[2]), least)
    yardstick = Yardstick(season, matrix, np.empty(0))
    from_others = (deviations * looks / (looks - 1)).reshape(-1, values.shape[2])
    return Yardstick(season, matrix, np.sort(yardstick.score(from_others, looks - 1)))


def _season(values: Floats, phases: NDArray[np.int_]) -> Floats:
    deviations = values - values.mean(axis=1, keepdims=True)
    season = np.zeros((SEASON_BINS, values.shape[2]))
    for each in range(SEASON_BINS):
        chosen = deviations[phases == each]
        if len(chosen):
            season[each] = chosen.mean(axis=0)
    return season
