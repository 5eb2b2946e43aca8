"""What is wrong, or worth knowing, about a model file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

Severity = Literal["error", "warning", "info"]
_ORDER: Final[tuple[Severity, ...]] = ("error", "warning", "info")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem, however often it occurs in the file."""

    code: str
    """Stable, for machines."""
    severity: Severity
    """error: ``convert`` refuses the file as it is; warning: it may surprise; info: good to know."""
    message: str
    op: int | None = None
    """The first operator concerned, by its place in its graph; None when it is the file as a whole."""
    remedy: str = ""


def error(code: str, message: str, remedy: str, op: int | None = None) -> Finding:
    """A reason to refuse the file."""
    return Finding(code=code, severity="error", message=message, op=op, remedy=remedy)


def warning(code: str, message: str, remedy: str, op: int | None = None) -> Finding:
    """Something that a person should look at."""
    return Finding(code=code, severity="warning", message=message, op=op, remedy=remedy)


def info(code: str, message: str, remedy: str = "", op: int | None = None) -> Finding:
    """Nothing to worry about."""
    return Finding(code=code, severity="info", message=message, op=op, remedy=remedy)


def ordered(found: Iterable[Finding]) -> list[Finding]:
    """Worst first, else as they were found."""
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def matter(found: Iterable[Finding]) -> bool:
    """Whether any is more than info."""
    return any(finding.severity != "info" for finding in found)
