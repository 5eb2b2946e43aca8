"""Sample files (``.npz``): raw inputs ``x`` in real units, and for evaluation classes ``y``."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from wire.errors import InputError, NotFoundError
from wire.manifest import digest_of

_MAX_FILE_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True)
class Samples:
    """n inputs before preprocessing."""

    x: NDArray[np.float32]
    """(n, *input shape without the batch)."""
    y: NDArray[np.int64] | None
    """(n,), class indices."""
    labels: tuple[str, ...]
    sha256: str
    """Of the file."""
    index: NDArray[np.int64] | None = None
    """(n,), places they were taken from: in the data set when the file says, or in the file."""
    index_of: Literal["data set", "file"] = "file"
    """What ``index`` is of; without one, a sample's place in the file counts."""

    def take(self, places: NDArray[np.int64], *, index_of: Literal["file"] | None = None) -> Samples:
        """The samples at ``places``; their index is what it was, or ``places`` with ``index_of``."""
        kept = None if self.index is None else self.index[places]
        return replace(
            self,
            x=self.x[places],
            y=None if self.y is None else self.y[places],
            index=places if index_of else kept,
            index_of=index_of or self.index_of,
        )


def load(file: Path, *, labelled: bool = False) -> Samples:
    """Read a sample file; InputError or NotFoundError says what is wrong with it. Pickles are refused."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
        arrays = _arrays(data)
    except FileNotFoundError as error:
        raise NotFoundError("no_file", f"there is no file {file}", "check the path") from error
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(
            "bad_samples", f"cannot read samples from {file}: {str(error)[:120]}", "give an .npz with x and y"
        ) from error
    return _checked(file, arrays, digest_of(data), labelled)


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if len(data) > _MAX_FILE_BYTES or unpacked > _MAX_FILE_BYTES:
        raise ValueError(f"over {_MAX_FILE_BYTES} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("x", "y", "labels", "index") if name in arrays.files}


def _checked(file: Path, arrays: dict[str, NDArray[Any]], sha256: str, labelled: bool) -> Samples:
    x, y = arrays.get("x"), arrays.get("y")
    if x is None or x.ndim < 2 or not len(x) or x.dtype.kind not in "fiu":
        raise InputError("bad_samples", f"{file} has no numbers x of shape (n, ...)", "np.savez(f, x=x, y=y)")
    if x.dtype == np.int8:
        raise InputError(
            "bad_samples", f"x of {file} is int8 already", "give real units: scale * (x - zero_point)"
        )
    if not np.isfinite(x).all():
        raise InputError("bad_samples", f"x of {file} has values that are not finite", "remove them")
    if labelled and (y is None or y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0):
        raise InputError("bad_samples", f"{file} has no class y for every x", "y: whole numbers from 0, (n,)")
    names = arrays.get("labels", np.array([], str))
    labels = tuple(str(label) for label in names.ravel()[:4096]) if names.dtype.kind == "U" else ()
    classes = y.astype(np.int64) if labelled and y is not None else None
    index = _index(arrays.get("index"), len(x))
    return Samples(
        x.astype(np.float32), classes, labels, sha256, index, "file" if index is None else "data set"
    )


def _index(index: NDArray[Any] | None, n: int) -> NDArray[np.int64] | None:
    if index is None or index.shape != (n,) or index.dtype.kind not in "iu":
        return None
    return index.astype(np.int64)
