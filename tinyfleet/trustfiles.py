"""The files of ``tinyfleet trust init``, and which of them count when the user names none.

Those of the folder ``trust`` where the user is; else the user's own, for development, in the platform's
configuration folder (XDG Base Directory Specification), made when a key is first needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tinyfleet.keyfile import expiry, read_key
from wire.errors import InputError, NotFoundError, StoreError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

RELEASE_KEY: Final = "release.key"
IMAGE_ROOT: Final = "image-root.json"
_HERE: Final = Path("trust")
_ROOT_DAYS: Final = 3652
"""Ten years: devices in the field outlive most plans."""


class Made(NamedTuple):
    """Names of the new files, keys first, and when the roots expire."""

    files: list[str]
    expires: datetime


class Signing(NamedTuple):
    """A release key and where it is from, in words."""

    signer: CryptoSigner
    origin: str


def make(folder: Path) -> Made:
    """Keys (mode 0600) and roots, all new; InputError when one is there already."""
    from wire.trust import load_key, make_root, new_key

    expires = expiry(_ROOT_DAYS)
    keys = {RELEASE_KEY: new_key(), "director.key": new_key()}
    release, director = (load_key(pem) for pem in keys.values())
    # The offline key also signs the director's root, so a stolen server key cannot replace itself.
    roots = {
        IMAGE_ROOT: make_root(release, release.public_key, expires),
        "director-root.json": make_root(release, director.public_key, expires),
    }
    _write(folder, keys, roots)
    return Made([*keys, *roots], expires)


def signing(key: Path | None) -> Signing:
    """The release key in ``key``, or the default one, made if need be."""
    if key is not None:
        return Signing(read_key(key), str(key))
    if (_HERE / RELEASE_KEY).exists():
        return Signing(read_key(_HERE / RELEASE_KEY), str(_HERE / RELEASE_KEY))
    file, words = _own() / RELEASE_KEY, "your development key"
    if not file.exists():
        make(_own())
        words = "your development key, just made"
    return Signing(read_key(file), f"{words}: {file}")


def image_root(trust: Path | None) -> Path:
    """The root file ``trust``, or the one beside the default key; NotFoundError when there is none."""
    if trust is not None:
        return trust
    for folder in (_HERE, _own()):
        if (folder / IMAGE_ROOT).exists():
            return folder / IMAGE_ROOT
    raise NotFoundError(
        "no_root", f"there is no {_HERE / IMAGE_ROOT} and no development key", "give --trust image-root.json"
    )


def _own() -> Path:
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # The specification: a relative path is invalid and to be ignored.
    return (given if given.is_absolute() else Path.home() / ".config") / "tinyfleet" / "trust"


def _write(folder: Path, keys: Mapping[str, bytes], roots: Mapping[str, bytes]) -> None:
    files = {**keys, **roots}
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        raise InputError("exists", f"{folder} already has {', '.join(taken)}", "choose another directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            mode = 0o600 if name in keys else 0o644
            # Private from its first byte on, and never over another file.
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {folder}: {error.strerror}", "check it") from error
