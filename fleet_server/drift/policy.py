"""What counts as drift, and how often a fleet without any may be said to have some."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final

import msgspec

from wire.errors import InputError

_MAX_BYTES: Final = 64 * 1024

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class DriftPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one fleet."""

    look_s: Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)] = 6 * 3600.0
    """Telemetry of so long is one look at a device."""
    min_inferences: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 100
    """A look goes on until there are as many."""
    baseline: Annotated[int, msgspec.Meta(ge=5, le=200)] = 28
    """Looks that tell how a device normally is and varies: a week, so that week ends are among them."""
    season_s: Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)] | None = 86400.0
    """Period of what comes and goes for the whole fleet, as day and night; None: nothing does."""
    turnover: Share = 0.01
    """Share of devices that may change in one look without the world having changed: a new wearer, another
    place, a false finding. More than these is drift."""
    device_alpha: Share = 0.005
    """A device that did not change is said to have done so once in 1/device_alpha looks, or less often."""
    alpha: Share = 0.001
    """A fleet in which no more than ``turnover`` changes is said to drift once in 1/alpha looks, or less."""


def read(file: Path) -> DriftPolicy:
    """From a TOML file; InputError says which key is wrong and how."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError("no_policy", f"cannot read {file}: {error.strerror}", "give a TOML file") from error
    if len(data) > _MAX_BYTES:
        raise InputError("oversize", f"{file.name} is over {_MAX_BYTES} bytes", "see docs/drift.md")
    try:
        written = tomllib.loads(data.decode("utf-8"))
        if written.get("season_s") is False:
            written["season_s"] = None  # TOML has no null
        return msgspec.convert(written, DriftPolicy)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, msgspec.ValidationError) as error:
        raise InputError("bad_policy", f"{file.name}: {error}", "see docs/drift.md") from error
