"""Recompute what a telemetry window says, from the shipped file and the replayed windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from agent_rig import Bundle, kws_model

from runtimes import open_model
from wire import preprocess
from wire.messages import Telemetry


def recount(window: Telemetry, bundle: Bundle, recording: Path) -> tuple[int, list[int]]:
    """Correct answers and class histogram by a run of the model itself."""
    with np.load(recording) as data:
        x, y = data["x"], data["y"]
    assert window.first is not None
    manifest = bundle.manifest
    interpreter = open_model(window.numerics, kws_model())
    classes, correct = [0] * 12, 0
    for k in range(window.n):
        position = (window.first + k * window.stride) % len(x)
        raw = preprocess.apply(manifest.preprocessing, x[position : position + 1])
        answer = int(np.argmax(interpreter.run(preprocess.quantise(manifest.input, raw)[0])))
        classes[answer] += 1
        correct += answer == y[position]
    return correct, classes
