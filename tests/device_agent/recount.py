"""Recompute what a telemetry window says, from the shipped file and the replayed windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtimes import open_model
from tests.device_agent.small_bundle import Bundle
from tests.device_agent.tiny_model import CLASSES, tiny_model
from wire import preprocess
from wire.messages import Telemetry


def recount(window: Telemetry, bundle: Bundle, recording: Path) -> tuple[int, list[int]]:
    """Correct answers and class histogram by a run of the model itself."""
    with np.load(recording) as data:
        x, y = data["x"], data["y"]
    assert window.first is not None
    manifest = bundle.manifest
    interpreter = open_model(window.numerics, tiny_model())
    classes, correct = [0] * CLASSES, 0
    for k in range(window.n):
        position = (window.first + k * window.stride) % len(x)
        raw = preprocess.apply(manifest.preprocessing, x[position : position + 1])
        answer = int(np.argmax(interpreter.run(preprocess.quantise(manifest.input, raw)[0])))
        classes[answer] += 1
        correct += answer == y[position]
    return correct, classes
