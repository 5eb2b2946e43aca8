"""Run folders below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from trainer.run import RUN_FILE, Run, read
from wire.errors import InputError, NotFoundError

_DEPTH: Final = 4
_MOST: Final = 10_000


class Found(NamedTuple):
    """One folder with a ``run.json``."""

    folder: Path
    run: Run | None
    """None when it is not one of this release."""
    wrong: str = ""


def find(root: Path) -> list[Found]:
    """All runs in ``root`` and up to four folders below it, by path; NotFoundError without ``root``."""
    if not root.is_dir():
        raise NotFoundError("no_folder", f"there is no folder {root}", "give one that has runs in it")
    return [_read(folder) for folder in sorted(_folders(root, _DEPTH))[:_MOST]]


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / RUN_FILE).is_file():
        yield folder
        return
    if depth:
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink() and not each.name.startswith("."):
                yield from _folders(each, depth - 1)


def _read(folder: Path) -> Found:
    try:
        return Found(folder, read(folder))
    except (InputError, NotFoundError) as error:
        return Found(folder, None, error.message)


def named(what: str, root: Path) -> Path:
    """The folder of a run, given as such or by the beginning of its id; NotFoundError, InputError."""
    if (Path(what) / RUN_FILE).is_file():
        return Path(what)
    fits = [found.folder for found in find(root) if found.run is not None and found.run.id.startswith(what)]
    if not what or not fits:
        raise NotFoundError(
            "no_run",
            f"{what!r} is no run folder, and no run below {root} has such an id",
            "tinyfleet runs list",
        )
    if len(fits) > 1:
        raise InputError(
            "ambiguous", f"{what!r} are {', '.join(str(each) for each in fits[:4])}", "give the folder"
        )
    return fits[0]
