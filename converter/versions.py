"""Which software made a bundle's figures, and which is here now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

PACKAGES: Final = ("ai-edge-litert", "ethos-u-vela", "numpy", "tensorflow", "tflite-micro", "tinyfleet")


def installed() -> dict[str, str]:
    """Version by package; those that are not installed are left out."""
    found = {package: _version(package) for package in PACKAGES}
    return {package: known for package, known in found.items() if known is not None}


def differences(lineage: Mapping[str, Any], packages: Sequence[str] = PACKAGES) -> list[str]:
    """In words: each of ``packages`` that a bundle was made with in another version than is installed."""
    recorded = lineage.get("converter")
    made = recorded if isinstance(recorded, dict) else {}
    here = installed()
    return [
        f"made with {package} {_named(made.get(package))}, here is {_named(here.get(package))}"
        for package in packages
        if made.get(package) != here.get(package)
    ]


def _named(known: Any) -> str:
    return "none" if known is None else str(known)[:40]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
