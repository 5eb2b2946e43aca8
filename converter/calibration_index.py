"""Which samples chose the int8 ranges, by index; and how they are taken from the evaluation samples.

Without calibration samples of its own, a model is calibrated by a part of its evaluation samples and
evaluated on the rest only: seeded, every class in proportion, a fifth but at most 200.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from converter.samples import Samples
from wire.errors import InputError, WireError
from wire.limits import MAX_BUNDLE_BYTES

FILE: Final = "evidence/calibration_index.npy"
"""In the bundle, not on devices: (n,) int32, what ``lineage.calibration.index_sha256`` is of."""
SEED: Final = 0
MOST: Final = 200
SHARE: Final = 5
"""One sample of so many."""
RULE: Final = f"every class in proportion, 1 of {SHARE}, at most {MOST}, seed {SEED}"
Places = NDArray[np.int64]


def draw(y: NDArray[np.int64]) -> Places:
    """Places (k,), ascending, of the calibration part of samples with classes ``y`` (n,).

    Systematic sampling: samples in random order within their class, class after class, and every
    n/k-th of them. InputError for fewer than SHARE samples.
    """
    count = min(MOST, len(y) // SHARE)
    if not count:
        raise InputError(
            "no_calibration",
            f"{len(y)} evaluation samples are too few to take calibration samples from",
            "give --calibration data.npz with x in real units",
        )
    order = np.random.default_rng(SEED).permutation(len(y))
    by_class = order[np.argsort(y[order], kind="stable")]
    steps = (np.arange(count) + 0.5) * len(y) / count
    return np.sort(by_class[steps.astype(np.intp)]).astype(np.int64)


def split(given: Samples) -> tuple[Samples, Samples]:
    """Calibration samples, whose index is places in the file, and the evaluation samples that remain."""
    if given.y is None:
        raise ValueError("labelled samples always have classes")
    places = draw(given.y)
    return given.take(places, index_of="file"), rest(given, places)


def rest(given: Samples, places: Places) -> Samples:
    """The samples that were not drawn."""
    return given.take(np.setdiff1d(np.arange(len(given.x)), places))


def evaluated(given: Samples, lineage: Mapping[str, Any], files: Mapping[str, bytes]) -> Samples:
    """What of the evaluation file ``given`` a bundle was evaluated on; WireError for damaged evidence."""
    calibration = lineage.get("calibration")
    if not isinstance(calibration, dict) or "drawn" not in calibration:
        return given
    places = unpack(files.get(FILE, b""))
    if len(places) and not 0 <= places.min() <= places.max() < len(given.x):
        raise WireError("malformed", "calibration indices beyond the samples", "make the bundle again")
    return rest(given, places)


def pack(indices: Places) -> bytes:
    """The file."""
    file = io.BytesIO()
    values = np.ascontiguousarray(indices, np.int32)
    np.lib.format.write_array(file, values, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def unpack(data: bytes) -> Places:
    """The file's indices; WireError when it is missing or damaged."""
    try:
        if len(data) > MAX_BUNDLE_BYTES:
            raise ValueError(f"over {MAX_BUNDLE_BYTES} bytes")
        values = np.load(io.BytesIO(data), allow_pickle=False)
        if values.ndim != 1 or values.dtype != np.int32:
            raise ValueError(f"{values.dtype} of shape {values.shape}")
    except (ValueError, EOFError, AttributeError) as error:
        raise WireError(
            "malformed", f"calibration indices: {str(error)[:120]}", "make the bundle again"
        ) from error
    places: Places = values.astype(np.int64)
    return places
