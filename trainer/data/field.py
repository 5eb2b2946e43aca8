"""A data set's next version: the same recordings, and windows that devices sent from the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset, Recording, Source, SourceFile
from wire.errors import InputError
from wire.manifest import digest_of

#: Groups of field samples are called so, and then by their device: they are nobody who is held out.
FIELD: Final = "field/"
#: What a run says of its samples goes into the manifest, and is bounded.
MAX_NUMBERS: Final = 2000
MAX_DEVICES: Final = 32


class FieldSample(NamedTuple):
    """One labelled window of one device."""

    window: NDArray[np.float32]
    label: int
    device: str
    number: int
    """Of the sample on its server."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says of its field samples."""

    fleet: str
    """The server that gathered them."""
    alert: int | None
    requests: tuple[int, ...]
    """Numbers of the requests for samples."""
    samples: int
    numbers: tuple[int, ...]
    """Of the samples on that server: the first MAX_NUMBERS of them."""
    devices: tuple[str, ...]
    """That they are from: the first MAX_DEVICES of them."""


class Extension(NamedTuple):
    """Field samples, and where they are from."""

    samples: Sequence[FieldSample]
    record: Record


def extend(dataset: Dataset, samples: Sequence[FieldSample], fleet: str) -> Dataset:
    """``dataset`` with the samples at its end, a recording each; InputError when one is of another kind."""
    channels, classes = len(dataset.schema.channels), len(dataset.schema.labels)
    for sample in samples:
        if sample.window.shape[-1] != channels or not 0 <= sample.label < classes:
            raise InputError(
                "other_schema",
                f"sample {sample.number} has {sample.window.shape[-1]} channels and class {sample.label}",
                f"{dataset.name} has {channels} channels and {classes} classes",
            )
    recordings = tuple(
        Recording(sample.window.astype(np.float32), sample.label, FIELD + sample.device, file=_file(sample))
        for sample in samples
    )
    files = tuple(
        SourceFile(_file(sample), digest_of(data := sample.window.astype("<f4").tobytes()), len(data))
        for sample in samples
    )
    source = Source(kind="fleet", name=fleet, licence="the fleet's owner's", files=files)
    return Dataset(dataset.name, dataset.schema, dataset.recordings + recordings, (*dataset.sources, source))


def _file(sample: FieldSample) -> str:
    return f"{sample.device}/{sample.number}"
