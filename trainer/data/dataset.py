"""A data set in memory: labelled recordings, whose they are, and the files that they came from.

It is content-addressed: ``digest`` is the same for the same recordings, labels and groups in the same
order, wherever they were read from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.manifest import digest_of

UNLABELLED: Final = -1
Kind = Literal["series", "audio", "image", "table"]
"""``series`` and ``audio`` are cut into windows; an image or a row of a table is taken whole."""


class SourceFile(msgspec.Struct, frozen=True):
    """One file that was read."""

    path: str
    """Relative to the folder or the package."""
    sha256: str
    bytes: int


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A source in few words, for whoever ships what was made of it."""

    kind: str
    name: str
    version: str
    licence: str
    files: int
    sha256: str
    """Of the only file, or of the list of all files with theirs."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where recordings came from."""

    kind: Literal["package", "files", "fleet", "synthetic"]
    name: str
    """Of the package, the folder, the fleet, or the program that made them."""
    version: str = ""
    licence: str
    """``unknown`` when nobody said."""
    files: tuple[SourceFile, ...] = ()

    @property
    def origin(self) -> Origin:
        """The source without the list of its files."""
        listed = digest_of(msgspec.json.encode(self.files))
        return Origin(
            kind=self.kind,
            name=self.name,
            version=self.version,
            licence=self.licence,
            files=len(self.files),
            sha256=self.files[0].sha256 if len(self.files) == 1 else listed,
        )


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample is."""

    kind: Kind
    channels: tuple[str, ...]
    """Names along the last axis."""
    units: tuple[str, ...] = ()
    """Of each channel; empty when nobody said."""
    rate_hz: float | None = None
    """Samples a second of ``series`` and ``audio``."""
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Recording:
    """One group doing one thing: a stretch of a series or of sound, one image, or one row of a table."""

    samples: NDArray[np.float32]
    """(samples, channels), (height, width, channels) or (channels,), in the sensor's own units."""
    label: int
    """Index into the schema's labels, or UNLABELLED."""
    group: str
    """Whose it is: a person, a machine, a session. No group is ever in two parts of a split."""
    session: str = ""
    """What else tells one wearing of the sensor by the group from another: a day, a side of the body."""
    file: str = ""
    """A path among the sources' files."""
    row: int = 0
    """Of the file, from 1, where it begins; 0 for the whole file."""


@dataclass(frozen=True)
class Dataset:
    """All recordings."""

    name: str
    schema: Schema
    recordings: tuple[Recording, ...]
    sources: tuple[Source, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group, sorted: those that are numbers by their value."""
        return tuple(sorted({recording.group for recording in self.recordings}, key=_order))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the schema and every recording's label, group, shape and values (little-endian)."""
        whole = hashlib.sha256(msgspec.json.encode(self.schema))
        for recording in self.recordings:
            head = (recording.label, recording.group, recording.samples.shape)
            whole.update(msgspec.json.encode(head))
            whole.update(np.ascontiguousarray(recording.samples, "<f4").tobytes())
        return whole.hexdigest()


def _order(group: str) -> tuple[bool, int, str]:
    number = group.isascii() and group.isdigit()
    return (not number, int(group) if number else 0, group)
