"""One telemetry window: consecutive readings answered by one model, summed up as they come."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from device_agent.input_sums import InputSums
from device_agent.loaded_model import Answer, LoadedModel
from device_agent.sensor import Reading
from device_agent.shadow import Comparison, Comparisons
from wire.limits import MAX_CLASSES
from wire.messages import AttemptId
from wire.sketch import CONFIDENCE_BINS, confidence_bin, latency_bucket


class Window:
    """Sums of one window. It never spans two models nor a gap, so it can be recomputed exactly."""

    def __init__(self, model: LoadedModel, attempt: AttemptId | None, first: Reading) -> None:
        self.model = model
        self.attempt = attempt
        self.first = first.position
        self.started_s = time.monotonic()
        self.n = 0
        self.errors = 0
        self.latency: Counter[int] = Counter()
        self.latency_sum_us = 0.0
        self.labelled = 0
        self.correct = 0
        outputs = int(np.prod(model.manifest.output.shape[1:]))
        self.classes = [0] * min(MAX_CLASSES, outputs)
        self.confidence = [0] * CONFIDENCE_BINS
        self.shadow: Comparisons | None = None
        self._next_step = first.step
        self.inputs = InputSums()

    def continues(self, model: LoadedModel, reading: Reading, compared: Comparison | None = None) -> bool:
        """Whether ``reading``, answered by ``model``, belongs to this window."""
        if compared is not None and self.shadow is not None and self.shadow.model != compared.model:
            return False
        return self.model.ref == model.ref and reading.step == self._next_step

    def add(self, reading: Reading, answer: Answer | None, compared: Comparison | None = None) -> None:
        """Count one reading; ``answer`` is None when the inference failed."""
        if compared is not None:
            self.shadow = self.shadow or Comparisons(compared.model)
            self.shadow.add(compared)
        self.n += 1
        self._next_step = reading.step + 1
        self.inputs.add(reading.window)
        if answer is None:
            self.errors += 1
            return
        self.inputs.add_tensor(answer.tensor)
        self.latency[latency_bucket(answer.latency_ns / 1000)] += 1
        self.latency_sum_us += answer.latency_ns / 1000
        self.confidence[confidence_bin(answer.confidence)] += 1
        if answer.label < len(self.classes):
            self.classes[answer.label] += 1
        if reading.label is not None:
            self.labelled += 1
            self.correct += answer.label == reading.label

    @property
    def duration_s(self) -> float:
        """Time since the window began."""
        return time.monotonic() - self.started_s
