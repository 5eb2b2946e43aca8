"""From a Keras model to int8: ranges from the calibration samples, TensorFlow in a child process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import child, saved_model
from converter.recipe import Recipe
from converter.samples import Samples
from converter.source import Source
from converter.sqnr import LayerNoise
from wire import preprocess
from wire.manifest import digest_of

#: More samples move no range: TensorFlow Lite takes each tensor's least and largest value.
MAX_CALIBRATION: Final = 1000
#: Samples by which the noise of each layer is measured.
MAX_NOISE: Final = 64
_MOST_S: Final = 3600.0


class Quantised(NamedTuple):
    """What came out."""

    model: bytes
    answers: NDArray[np.float32] | None
    """The original float model's outputs on the evaluation samples, (n, ...)."""
    ptq: bytes | None
    """int8 without the recipe, to compare with; None when there was no recipe."""
    layers: list[LayerNoise]
    """int8 against float of the same weights, worst first."""
    calibration: dict[str, Any]
    """Which samples chose the ranges, for the lineage."""


def quantise(source: Source, recipe: Recipe | None = None, training: Samples | None = None) -> Quantised:
    """Full-integer int8, int8 input and output; InputError or RefusedError in Keras' and TFLite's words.

    A recipe with ``qat_epochs`` needs labelled ``training`` samples.
    """
    if source.calibration is None:
        raise ValueError("a Keras source always has calibration samples")
    chosen = spread(len(source.calibration.x), MAX_CALIBRATION)
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        file = saved_model.ARCHIVE if source.kind == "saved_model" else "model.keras"
        (folder / file).write_bytes(source.model)
        (folder / "recipe.json").write_bytes(msgspec.json.encode(recipe or Recipe()))
        _save_samples(folder, source, source.calibration.x[chosen], training)
        child.call("converter.keras_worker", folder, facts=list[int], timeout_s=_MOST_S)
        layers = child.call("converter.sqnr", folder, facts=list[LayerNoise])
        answers, ptq = folder / "answers.npy", folder / "ptq.tflite"
        return Quantised(
            (folder / "model.tflite").read_bytes(),
            np.load(answers, allow_pickle=False) if answers.exists() else None,
            ptq.read_bytes() if ptq.exists() else None,
            layers,
            _described(source.calibration, chosen),
        )


def _save_samples(
    folder: Path, source: Source, calibration: NDArray[np.float32], training: Samples | None
) -> None:
    ready = preprocess.apply(source.preprocessing, calibration)
    np.save(folder / "calibration.npy", ready)
    np.save(folder / "inputs.npy", ready[spread(len(ready), MAX_NOISE)])
    if source.evaluation is not None:
        np.save(folder / "evaluation.npy", preprocess.apply(source.preprocessing, source.evaluation.x))
    if training is not None and training.y is not None:
        np.save(folder / "train_x.npy", preprocess.apply(source.preprocessing, training.x))
        np.save(folder / "train_y.npy", training.y)


def _described(samples: Samples, chosen: NDArray[np.intp]) -> dict[str, Any]:
    """Count and SHA-256 of the indices (64-bit little-endian) that chose the ranges."""
    of_data = samples.index is not None
    indices = samples.index[chosen] if samples.index is not None else chosen
    return {
        "used": len(chosen),
        "index_of": "data set" if of_data else "file",
        "index_sha256": digest_of(indices.astype("<i8").tobytes()),
    }


def spread(n: int, at_most: int) -> NDArray[np.intp]:
    """At most ``at_most`` indices below ``n``, evenly spaced: the same ones every time."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.intp))
