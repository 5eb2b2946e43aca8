"""What a decision was made from, so that anyone can make it again from the record."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from fleet_server.gates.hazard import Break
from fleet_server.gates.metric import GateName
from fleet_server.gates.observation import Observations


class Compared(msgspec.Struct, frozen=True, tag="compared"):
    """Devices of both arms, one number each."""

    gate: GateName
    observations: Observations


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Exposed devices, and those of them that did not get to run the new version."""

    gate: Literal["failures"]
    failed: int
    exposed: int


class Broke(msgspec.Struct, frozen=True, tag="broke"):
    """Restarts and devices that fell silent, in order."""

    gate: Literal["crashes"]
    breaks: tuple[Break, ...]


class Disagreed(msgspec.Struct, frozen=True, tag="disagreed"):
    """Share of shadow inferences with another answer, one a device, in the order of their ends."""

    gate: Literal["disagreement"]
    shares: tuple[float, ...]


Evidence = Compared | Failed | Broke | Disagreed
_Number = bool | int | float


def encode(evidence: list[Evidence]) -> bytes:
    """The record as JSON."""
    return msgspec.json.encode(evidence, enc_hook=_plain)


def decode(record: bytes) -> list[Evidence]:
    """The evidence of a record; msgspec.ValidationError when it is none."""
    return msgspec.json.decode(record, type=list[Evidence], dec_hook=_arrays)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [None if item != item else item for item in value.tolist()]  # noqa: PLR0124 - NaN alone
    raise NotImplementedError(type(value).__name__)


def _arrays(_kind: type, value: object) -> object:
    # Numbers keep their kind in JSON: 1.0 is a float, 1 an integer.
    return np.array(
        [np.nan if item is None else item for item in msgspec.convert(value, list[_Number | None])]
    )
