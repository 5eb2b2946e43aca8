"""MQTT topics: at most 7 slashes, one fixed level for the device id."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wire.errors import WireError
from wire.states import AlertKind

PREFIX: Final = "tinyfleet/v1"
SERVER_STATE: Final = f"{PREFIX}/server/state"

#: What the server subscribes to.
REPORTS: Final = tuple(f"{PREFIX}/d/+/{kind}" for kind in ("status", "reported", "telemetry", "samples"))

_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class DeviceTopic(NamedTuple):
    """A parsed ``d/{device}/{kind}`` topic."""

    device: str
    kind: str


def check_device_id(device: str) -> str:
    """Return ``device`` when it may be a topic level, else raise WireError."""
    if not _DEVICE_ID.fullmatch(device):
        raise WireError(
            "bad_device_id",
            f"device id {device[:80]!r} is not allowed",
            "use 1-64 letters, digits, '_', '.', '-', beginning with a letter or digit",
        )
    return device


def check_digest(digest: str) -> str:
    """Return ``digest`` when it is lower-case hex SHA-256, else raise WireError."""
    if not _DIGEST.fullmatch(digest):
        raise WireError(
            "bad_digest", f"{digest[:80]!r} is not a SHA-256 digest", "give 64 lower-case hex digits"
        )
    return digest


def device(device_id: str, kind: str) -> str:
    """Topic of one device: ``status``, ``desired``, ``reported``, ``telemetry``, ``ask`` or ``samples``."""
    return f"{PREFIX}/d/{check_device_id(device_id)}/{kind}"


def manifest(digest: str) -> str:
    """Topic of the signed manifest of the bundle ``digest``."""
    return f"{PREFIX}/a/{check_digest(digest)}/manifest"


def chunk(digest: str, index: int) -> str:
    """Topic of the ``index``-th chunk of the bundle ``digest``."""
    return f"{PREFIX}/a/{check_digest(digest)}/c/{index}"


def alert(kind: AlertKind) -> str:
    """Topic of the notices of one kind of alert; ``+`` in place of it subscribes to all."""
    return f"{PREFIX}/alerts/{AlertKind(kind)}"


def parse_device(topic: str) -> DeviceTopic:
    """Parse ``tinyfleet/v1/d/{device}/{kind}``; WireError for anything else."""
    levels = topic.split("/")
    if len(levels) != 5 or levels[:3] != ["tinyfleet", "v1", "d"]:
        raise WireError("bad_topic", f"topic {topic[:120]!r} is not a device topic", "see docs/protocol.md")
    return DeviceTopic(check_device_id(levels[3]), levels[4])
