"""What one device reported since its look began, added up."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec.structs import replace

from fleet_server.drift import profile
from wire.messages import Telemetry
from wire.sketch import TENSOR_BINS, ChannelSketch, TensorSketch


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of windows of one version of one model."""

    model: str
    digest: str
    begun_at: float
    ended_at: float
    n: int = 0
    labelled: int = 0
    correct: int = 0
    classes: list[int] = []
    confidence: list[int] = []
    inputs: ChannelSketch = ChannelSketch()
    tensor: TensorSketch | None = None

    def fits(self, window: Telemetry) -> bool:
        """Whether ``window`` is of the same model and sensor."""
        channels = len(self.inputs.mean) or len(window.inputs.mean)
        return (
            self.digest == window.model.digest
            and len(self.classes) == len(window.classes)
            and channels == (len(window.inputs.mean) or channels)
        )

    def add(self, window: Telemetry, at: float) -> Cell:
        """With ``window``, which came in at ``at``."""
        tensor = window.tensor
        return replace(
            self,
            ended_at=at,
            n=self.n + window.n,
            labelled=self.labelled + window.labelled,
            correct=self.correct + window.correct,
            classes=_added(self.classes, window.classes),
            confidence=_added(self.confidence, window.confidence),
            inputs=self.inputs.merge(window.inputs),
            tensor=self.tensor.merge(tensor) if self.tensor and tensor else self.tensor or tensor,
        )

    def input_values(self) -> tuple[float, ...]:
        """See profile.inputs; empty when the device says nothing of its inputs."""
        if not self.inputs.n:
            return ()
        mean, std = (np.array(part, np.float64) for part in (self.inputs.mean, self.inputs.std))
        return tuple(profile.inputs(mean, std).tolist())

    def answer_values(self) -> tuple[float, ...]:
        """See profile.answers; empty without an answer."""
        if not sum(self.confidence):
            return ()
        tensor = self.tensor.histogram if self.tensor else (0,) * TENSOR_BINS
        parts = (np.array(part, np.float64) for part in (tensor, self.classes, self.confidence))
        return tuple(profile.answers(*parts).tolist())

    def accuracy_values(self, least: int) -> tuple[float, ...]:
        """See profile.accuracy; empty with fewer labels than ``least``."""
        if self.labelled < least:
            return ()
        found = profile.accuracy(np.array(float(self.correct)), np.array(float(self.labelled)))
        return tuple(found.tolist())


def begin(window: Telemetry, at: float) -> Cell:
    """An empty cell that ``window``, which came in at ``at``, fits."""
    return Cell(
        model=window.model.model,
        digest=window.model.digest,
        begun_at=at - window.duration_s,
        ended_at=at,
        classes=[0] * len(window.classes),
        confidence=[0] * len(window.confidence),
    )


def _added(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
