"""From a Keras model to int8: ranges from the calibration samples, TensorFlow in a child process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter import child
from converter.source import Source
from wire import preprocess

#: More samples move no range: TensorFlow Lite takes each tensor's least and largest value.
MAX_CALIBRATION: Final = 1000


class Quantised(NamedTuple):
    """What came out."""

    model: bytes
    answers: NDArray[np.float32] | None
    """The float model's outputs on the evaluation samples, (n, ...)."""


def quantise(source: Source) -> Quantised:
    """Full-integer int8, int8 input and output; InputError or RefusedError in Keras' and TFLite's words."""
    if source.calibration is None:
        raise ValueError("a Keras source always has calibration samples")
    chosen = source.calibration.x[spread(len(source.calibration.x), MAX_CALIBRATION)]
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / "model.keras").write_bytes(source.model)
        np.save(folder / "calibration.npy", preprocess.apply(source.preprocessing, chosen))
        if source.evaluation is not None:
            ready = preprocess.apply(source.preprocessing, source.evaluation.x)
            np.save(folder / "evaluation.npy", ready)
        child.call("converter.keras_worker", folder, facts=list[int])
        answers = None
        if source.evaluation is not None:
            answers = np.load(folder / "answers.npy", allow_pickle=False)
        return Quantised((folder / "model.tflite").read_bytes(), answers)


def spread(n: int, at_most: int) -> NDArray[np.intp]:
    """At most ``at_most`` indices below ``n``, evenly spaced: the same ones every time."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.intp))
