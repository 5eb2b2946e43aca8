"""Keys, roots and expiries as command line options name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wire.errors import InputError, NotFoundError
from wire.limits import MAX_ROOT_BYTES

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Root

DEFAULT_DAYS: Final = 365
"""Of a release signature."""


def read_key(file: Path) -> CryptoSigner:
    """The private key in ``file``."""
    from wire.trust import load_key

    return load_key(_read(file, "make one: tinyfleet trust init DIR"))


def read_root(file: Path) -> Root:
    """The root metadata in ``file``."""
    from wire.trust import load_root

    return load_root(_read(file, "make one: tinyfleet trust init DIR"))


def now() -> datetime:
    """The present, to the second, as TUF metadata has it."""
    return datetime.now(UTC).replace(microsecond=0)


def expiry(days: int) -> datetime:
    """``days`` from now; InputError beyond the calendar."""
    try:
        return now() + timedelta(days=days)
    except OverflowError as error:
        raise InputError("bad_days", f"{days} days is too far away", "give fewer --days") from error


def _read(file: Path, hint: str) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_ROOT_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError("no_file", f"there is no file {file}", hint) from error
    except OSError as error:
        raise InputError("unreadable", f"cannot read {file}: {error.strerror}", "check the path") from error
