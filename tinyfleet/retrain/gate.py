"""Whether a candidate may replace the incumbent: both int8 files on the same old and field windows."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtimes import open_model
from wire import preprocess
from wire.errors import RefusedError
from wire.manifest import Manifest
from wire.states import NumericsFamily


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions on the same labelled windows."""

    n: int
    groups: int
    """People or devices that the windows are of."""
    incumbent: float
    candidate: float
    difference: float
    """Of the shares of right answers: above 0, the candidate is better."""
    standard_error: float
    """Of the difference, between groups: windows of one group are not independent."""


def compare(
    incumbent: NDArray[np.int64],
    candidate: NDArray[np.int64],
    truth: NDArray[np.int64],
    group: NDArray[np.str_],
) -> Comparison:
    """Paired by window, clustered by group (K.-Y. Liang and S. L. Zeger, Biometrika 73, 1986)."""
    before, after = incumbent == truth, candidate == truth
    gained = after.astype(np.float64) - before
    difference = float(gained.mean())
    sums = [float((gained[group == each] - difference).sum()) for each in np.unique(group)]
    return Comparison(
        n=len(truth),
        groups=len(sums),
        incumbent=float(before.mean()),
        candidate=float(after.mean()),
        difference=difference,
        standard_error=math.sqrt(sum(each**2 for each in sums)) / len(truth),
    )


def answers(manifest: Manifest, model: bytes, windows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Class of each raw window, by the shipped file in LiteRT; (n,)."""
    interpreter = open_model(NumericsFamily.XNNPACK, model)
    tensors = preprocess.quantise(manifest.input, preprocess.apply(manifest.preprocessing, windows))
    return np.array([int(interpreter.run(tensor).argmax()) for tensor in tensors], np.int64)


def check(old: Comparison, field: Comparison, max_old_drop: float) -> None:
    """RefusedError when the candidate loses too much of what was, or wins nothing of what is."""
    if -old.difference > max_old_drop:
        raise RefusedError(
            "old_data",
            f"on the old data it is right in {old.candidate:.1%}, the incumbent in {old.incumbent:.1%}",
            f"tolerated is a loss of {max_old_drop:.1%}: more field samples, or --max-old-drop",
        )
    if field.difference <= 0:
        raise RefusedError(
            "field_data",
            f"on field data it is right in {field.candidate:.1%}, the incumbent in {field.incumbent:.1%}",
            "gather more samples",
        )


def told(comparison: Comparison) -> str:
    """In one line."""
    c = comparison
    return (
        f"{c.incumbent:.1%} -> {c.candidate:.1%} on {c.n} windows of {c.groups} "
        f"(difference {100 * c.difference:+.1f} points, standard error {100 * c.standard_error:.1f})"
    )


def as_json(comparison: Comparison) -> Any:
    """For the command's result."""
    return msgspec.to_builtins(comparison)
