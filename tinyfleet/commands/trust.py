"""``tinyfleet trust init DIR``: the keys of a fleet and the roots that name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from tinyfleet.keyfile import expiry
from tinyfleet.output import Json, emit
from wire.errors import InputError, StoreError

app = typer.Typer(no_args_is_help=True)
_ROOT_DAYS: Final = 3652
"""Ten years: devices in the field outlive most plans."""


@app.callback()
def trust() -> None:
    """Make the keys and roots that a fleet trusts."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put them.")], as_json: Json = False
) -> None:
    """Make release.key, director.key and the roots image-root.json and director-root.json."""
    from wire.trust import load_key, make_root, new_key

    expires = expiry(_ROOT_DAYS)
    keys = {"release.key": new_key(), "director.key": new_key()}
    release, director = (load_key(pem) for pem in keys.values())
    # The offline key also signs the director's root, so a stolen server key cannot replace itself.
    roots = {
        "image-root.json": make_root(release, release.public_key, expires),
        "director-root.json": make_root(release, director.public_key, expires),
    }
    _write(folder, keys, roots)
    data = {"trust": str(folder), "files": [*keys, *roots], "expires": expires}
    emit(
        data,
        as_json,
        lambda: (
            f"{folder}: {', '.join([*keys, *roots])}; the roots expire on {expires:%Y-%m-%d}. "
            "Keep release.key offline; the server needs director.key."
        ),
    )


def _write(folder: Path, keys: dict[str, bytes], roots: dict[str, bytes]) -> None:
    taken = [name for name in (*keys, *roots) if (folder / name).exists()]
    if taken:
        raise InputError("exists", f"{folder} already has {', '.join(taken)}", "choose another directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (keys | roots).items():
            mode = 0o600 if name in keys else 0o644
            # Private from its first byte on, and never over another file.
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {folder}: {error.strerror}", "check it") from error
