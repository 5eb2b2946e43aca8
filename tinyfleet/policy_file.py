"""A rollout's policy as an operator writes it: a TOML file, checked before anything is asked of a server."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from fleet_server.device_filter import parse
from fleet_server.rollout_policy import Policy
from wire.errors import InputError

_MAX_BYTES: Final = 256 * 1024


def read(file: Path) -> dict[str, Any]:
    """The policy's keys as written, once they make a policy; InputError says which key is wrong and how.

    TOML has no null: a gate is switched off by ``false``.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError("no_policy", f"cannot read {file}: {error}"[:200], "give a TOML file") from error
    if len(data) > _MAX_BYTES:
        raise InputError("oversize", f"{file.name} is over {_MAX_BYTES} bytes", "name devices by a filter")
    try:
        written = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("bad_policy", f"{file.name}: {error}", "see docs/rollouts.md") from error
    return check(written, file.name)


def check(written: dict[str, Any], name: str) -> dict[str, Any]:
    """``written`` with its ``false`` gates as None; InputError when it is no policy."""
    policy = {**written, "gates": _gates(written.get("gates", {}))}
    try:
        made = msgspec.convert(policy, Policy)
    except msgspec.ValidationError as error:
        raise InputError("bad_policy", f"{name}: {error}", "see docs/rollouts.md") from error
    for where in (made.where, *(stage.where for stage in made.plan)):
        if where is not None:
            parse(where)
    return policy


def schema() -> dict[str, Any]:
    """JSON Schema of a policy."""
    return msgspec.json.schema(Policy)


def _gates(gates: Any) -> Any:
    if not isinstance(gates, dict):
        return gates
    return {name: None if value is False else value for name, value in gates.items()}
