"""Accuracy in the field, checked: the shipped file is run again on the very windows of every report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtimes import open_model
from tinyfleet.client import Client
from wire import preprocess
from wire.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, Score, decode_manifest
from wire.messages import Telemetry
from wire.states import NumericsFamily

_PAGE: Final = 1000


class Comparison(msgspec.Struct, frozen=True):
    """What devices reported for one version, and what a re-run gives on the same windows."""

    reported: Score
    recomputed: Score
    differing_windows: int

    @property
    def equal(self) -> bool:
        """Whether every single report is what the shipped file answers."""
        return self.differing_windows == 0 and self.reported == self.recomputed


def fetch(client: Client) -> list[Telemetry]:
    """Every telemetry window that the server has."""
    windows: list[Telemetry] = []
    after = 0
    while page := client.get("/telemetry", after=after, limit=_PAGE):
        windows += [msgspec.convert(row["window"], Telemetry, str_keys=True) for row in page]
        after = page[-1]["id"]
    return windows


def compare(bundle: Path, data: Path, windows: Iterable[Telemetry]) -> Comparison:
    """Compare the reports of one version with a re-run of its ``model.tflite`` on ``data``."""
    manifest = decode_manifest((bundle / MANIFEST_FILE).read_bytes())
    model = (bundle / MODEL_FILE).read_bytes()
    with np.load(data, allow_pickle=False) as archive:
        inputs, labels = archive["x"], archive["y"]
    right: dict[NumericsFamily, NDArray[np.bool_]] = {}
    reported = recomputed = labelled = differing = 0
    for window in windows:
        if window.first is None:  # drifted readings, which the file does not hold
            continue
        if window.numerics not in right:
            right[window.numerics] = _right_answers(manifest, model, window.numerics, inputs, labels)
        again = int(right[window.numerics][_positions(window)].sum())
        differing += again != window.correct
        reported += window.correct
        recomputed += again
        labelled += window.labelled
    return Comparison(
        reported=Score(n=labelled, correct=reported),
        recomputed=Score(n=labelled, correct=recomputed),
        differing_windows=differing,
    )


def _positions(window: Telemetry) -> NDArray[np.int64]:
    """Indices of the replayed inputs that a window covers; a window has no gaps."""
    positions: NDArray[np.int64] = (window.first or 0) + window.stride * np.arange(window.n, dtype=np.int64)
    return positions


def _right_answers(
    manifest: Manifest,
    model: bytes,
    numerics: NumericsFamily,
    inputs: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
) -> NDArray[np.bool_]:
    """Whether the model is right, for each input; shape (n,)."""
    arena = max(needs.ram_bytes for needs in manifest.targets.values() if needs.numerics is numerics)
    interpreter = open_model(numerics, model, arena)
    quantised = preprocess.quantise(manifest.input, preprocess.apply(manifest.preprocessing, inputs))
    answers = np.array([interpreter.run(window).argmax() for window in quantised])
    right: NDArray[np.bool_] = answers == labels
    return right
