"""A rollout's policy as an operator writes it: a TOML file, checked before anything is asked of a server."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from fleet_server import rollout_policy
from wire.errors import InputError

_MAX_BYTES: Final = 256 * 1024


def read(file: Path) -> dict[str, Any]:
    """The keys as written, once they make a policy; InputError says which is wrong and how."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError("no_policy", f"cannot read {file}: {error}"[:200], "give a TOML file") from error
    if len(data) > _MAX_BYTES:
        raise InputError("oversize", f"{file.name} is over {_MAX_BYTES} bytes", "name devices by a filter")
    try:
        written = tomllib.loads(data.decode("utf-8"))
        rollout_policy.read(written)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("bad_policy", f"{file.name}: {error}", "see docs/rollouts.md") from error
    except InputError as error:
        raise InputError(error.code, f"{file.name}: {error.message}", error.hint) from error
    return written


def schema() -> dict[str, Any]:
    """JSON Schema of a policy."""
    return msgspec.json.schema(rollout_policy.Policy)
