"""From a float model to int8: ranges from the calibration samples, TensorFlow in a child process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import child, float_model, saved_model
from converter.calibration_index import pack
from converter.flatbuffer import parse
from converter.recipe import Recipe
from converter.samples import Samples
from converter.source import Source
from converter.sqnr import LayerNoise
from wire import preprocess
from wire.errors import RefusedError
from wire.manifest import digest_of

#: More samples move no range: TensorFlow Lite takes each tensor's least and largest value.
MAX_CALIBRATION: Final = 1000
#: Samples by which the noise of each layer is measured.
MAX_NOISE: Final = 64
_MOST_S: Final = 3600.0
_FILE: Final = "model.tflite"
_WIDE_FILE: Final = "int16.tflite"
_WORKERS: Final = {
    "saved_model": (saved_model.ARCHIVE, "converter.keras_worker"),
    "float_tflite": ("source.tflite", "converter.float_worker"),
}
"""By kind of source: its file and who takes it; else Keras."""


class Quantised(NamedTuple):
    """What came out; of a file that is int8 already only itself."""

    model: bytes
    answers: NDArray[np.float32] | None = None
    """The original float model's outputs on the evaluation samples, (n, ...)."""
    ptq: bytes | None = None
    """int8 without the recipe, to compare with; None when there was no recipe."""
    layers: Sequence[LayerNoise] = ()
    """int8 against float of the same weights, worst first."""
    calibration: Mapping[str, Any] = MappingProxyType({})
    """Which samples chose the ranges, for the lineage."""
    index_file: bytes = b""
    """Those samples' places, see ``calibration_index``."""
    wide: bytes | None = None
    """The same with int16 activations between int8 ends, when it was asked for and can be made."""
    wide_layers: Sequence[LayerNoise] = ()
    wide_refused: str = ""
    """Why there is no ``wide`` although it was asked for."""


def quantise(
    source: Source, recipe: Recipe | None = None, training: Samples | None = None, *, wide: bool = False
) -> Quantised:
    """Full-integer int8, int8 input and output; InputError or RefusedError in Keras' and TFLite's words.

    A recipe with ``qat_epochs`` needs labelled ``training`` samples. ``wide`` asks for 16x8 too.
    """
    if source.calibration is None:
        raise ValueError("what is not int8 yet always has calibration samples")
    if source.kind == "float_tflite":
        float_model.check(parse(source.model))
    chosen = spread(len(source.calibration.x), MAX_CALIBRATION)
    file, worker = _WORKERS.get(source.kind, ("model.keras", "converter.keras_worker"))
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / file).write_bytes(source.model)
        (folder / "recipe.json").write_bytes(msgspec.json.encode(recipe or Recipe()))
        _save_samples(folder, source, source.calibration.x[chosen], training)
        child.call(worker, folder, facts=list[int], timeout_s=_MOST_S)
        refusal = _widen(folder) if wide else ""
        int16 = _read(folder / _WIDE_FILE)
        answers = folder / "answers.npy"
        return Quantised(
            model=(folder / _FILE).read_bytes(),
            answers=np.load(answers, allow_pickle=False) if answers.exists() else None,
            ptq=_read(folder / "ptq.tflite"),
            layers=_noise(folder, _FILE),
            calibration=_described(source.calibration, chosen),
            index_file=pack(_indices(source.calibration, chosen)),
            wide=int16,
            wide_layers=[] if int16 is None else _noise(folder, _WIDE_FILE),
            wide_refused=refusal,
        )


def _widen(folder: Path) -> str:
    """Why there is no 16x8 form; empty when it was made."""
    try:
        child.call("converter.int16_worker", folder, facts=type(None), timeout_s=_MOST_S)
    except RefusedError as error:
        return error.message
    return ""


def _noise(folder: Path, file: str) -> list[LayerNoise]:
    return child.call("converter.sqnr", folder, file, facts=list[LayerNoise])


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


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


def _indices(samples: Samples, chosen: NDArray[np.intp]) -> NDArray[np.int64]:
    """Places in the data set where the file tells them, else in the file."""
    return (np.arange(len(samples.x)) if samples.index is None else samples.index)[chosen]


def _described(samples: Samples, chosen: NDArray[np.intp]) -> dict[str, Any]:
    """Count and SHA-256 of the indices (64-bit little-endian) that chose the ranges."""
    return {
        "used": len(chosen),
        "index_of": samples.index_of,
        "index_sha256": digest_of(_indices(samples, chosen).astype("<i8").tobytes()),
    }


def spread(n: int, at_most: int) -> NDArray[np.intp]:
    """At most ``at_most`` indices below ``n``, evenly spaced: the same ones every time."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.intp))
