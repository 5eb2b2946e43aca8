"""The error families. Each is translated to an exit code and to an HTTP body in exactly one place.

Raise with a stable ``code`` (snake_case, for machines), a ``message`` (one line: what is wrong)
and a ``hint`` (one line: what to do about it).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Process exit codes of every tinyfleet command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    """A verification or a gate said no."""
    UNREACHABLE = 5
    FINDINGS = 6
    """The command finished, and found something a person should look at."""


class FleetError(Exception):
    """Root of every error that a person may see."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    http_status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.code = code
        self.message = message
        self.hint = hint


class WireError(FleetError):
    """Bytes that are not what the contract says: malformed, oversize, out of range."""

    exit_code = ExitCode.REFUSED
    http_status = 422


class TrustError(FleetError):
    """A signature, digest, sequence or expiry that does not hold."""

    exit_code = ExitCode.REFUSED
    http_status = 422


class RefusedError(FleetError):
    """Well-formed and authentic, but not acceptable: wrong target, does not fit, gate failed."""

    exit_code = ExitCode.REFUSED
    http_status = 409


class InputError(FleetError):
    """A file, an option or a request that the user has to change."""

    exit_code = ExitCode.USAGE
    http_status = 400


class AccessError(FleetError):
    """No token, or a token that does not allow this."""

    exit_code = ExitCode.FAILED
    http_status = 401


class NotFoundError(FleetError):
    """The named thing does not exist."""

    exit_code = ExitCode.NOT_FOUND
    http_status = 404


class LinkError(FleetError):
    """A broker, server or device that cannot be reached."""

    exit_code = ExitCode.UNREACHABLE
    http_status = 503


class StoreError(FleetError):
    """A disk or database that cannot be read or written."""

    http_status = 500
