"""A study's folder belongs to one process at a time, so what it left running before is surely dead."""

from __future__ import annotations

import fcntl
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from wire.errors import InputError, StoreError

FILE: Final = "owner"
_MAX_BYTES: Final = 1024


class Claim:
    """Context manager: the folder, claimed; its value is the folder's own name for itself.

    InputError when another process searches there, or when it is of a search of other settings. The
    kernel gives the claim back when this process ends, however it ends.
    """

    def __init__(self, folder: Path, settings_digest: str) -> None:
        self._folder, self._digest = folder, settings_digest
        self._file: IO[str] | None = None

    def __enter__(self) -> str:
        """The owner's name."""
        self._check()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / FILE).open("a+")
        except OSError as error:
            raise StoreError(
                "cannot_write", f"cannot write {self._folder}: {error.strerror}", "check --out"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise InputError(
                "busy",
                f"another process searches in {self._folder}",
                "wait for it, or share a study with --storage and another --out",
            ) from error
        self._file = file
        try:
            return self._name(file)
        except InputError:
            file.close()
            raise

    def _check(self) -> None:
        if self._folder.exists() and not (self._folder / FILE).exists() and any(self._folder.iterdir()):
            raise InputError("exists", f"{self._folder} is not a study", "choose another --out")

    def _name(self, file: IO[str]) -> str:
        file.seek(0)
        name, _, digest = file.read(_MAX_BYTES).strip().partition(" ")
        if not name:
            name, digest = uuid.uuid4().hex, self._digest
            file.write(f"{name} {digest}\n")
            file.flush()
        if digest != self._digest:
            raise InputError(
                "other_search",
                f"{self._folder} is a search of other settings, data, recipe or package versions",
                "choose another --out",
            )
        return name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
