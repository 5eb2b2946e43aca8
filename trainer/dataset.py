"""Labelled sensor recordings of known subjects, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which bytes the recordings were read from."""

    package: str
    version: str
    file: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Recording:
    """One subject doing one thing."""

    samples: NDArray[np.float32]
    """(samples, channels), in the sensor's own units."""
    label: int
    subject: int


@dataclass(frozen=True)
class Dataset:
    """All recordings of a task."""

    recordings: tuple[Recording, ...]
    labels: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float
    origin: Origin

    @property
    def subjects(self) -> tuple[int, ...]:
        """Everyone who was recorded, sorted."""
        return tuple(sorted({recording.subject for recording in self.recordings}))
