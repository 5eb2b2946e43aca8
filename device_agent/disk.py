"""Durable file operations, and nothing else: the seam at which tests cut the power.

The order is that of "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014): write a
temporary file, sync it, rename it, sync the directory. Every failure is a StoreError; a full disk
has the code ``disk_full``.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wire.errors import StoreError


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError("disk_full", f"no space left for {path.name}", "free some space") from error
        raise StoreError(
            "disk", f"{path.name}: {error.strerror or error}", "check the disk and its permissions"
        ) from error


class Disk:
    """File operations below one directory; ``durable=False`` leaves syncing to the host."""

    def __init__(self, durable: bool = True) -> None:
        self._durable = durable

    def replace(self, path: Path, data: bytes) -> None:
        """Make ``data`` the content of ``path``: afterwards it is there, or the old content is."""
        temporary = path.with_name(path.name + ".new")
        with _typed(path):
            self._ensure(path.parent)
            self._write(temporary, data, append=False)
            self._sync(temporary)
            self._rename(temporary, path)
            self._sync(path.parent)

    def append(self, path: Path, data: bytes) -> None:
        """Add ``data`` to the end; it may be lost or torn until ``sync``."""
        with _typed(path):
            self._write(path, data, append=True)

    def sync(self, path: Path) -> None:
        """Return when what was appended would survive a power cut."""
        with _typed(path):
            self._sync(path)
            self._sync(path.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Give a synced file its final name."""
        with _typed(new):
            self._rename(old, new)
            self._sync(new.parent)

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Drop everything after ``size_bytes``."""
        with _typed(path):
            self._truncate(path, size_bytes)
            self._sync(path)

    def remove(self, *paths: Path) -> None:
        """Remove files, in this order; those that are not there are fine."""
        for path in paths:
            with _typed(path):
                self._unlink(path)

    def read(self, path: Path, limit_bytes: int) -> bytes | None:
        """Content of a file of at most ``limit_bytes``; None when there is none."""
        with _typed(path):
            try:
                with path.open("rb") as file:
                    data = file.read(limit_bytes + 1)
            except FileNotFoundError:
                return None
        if len(data) > limit_bytes:
            raise StoreError("oversize", f"{path.name} is over {limit_bytes} bytes", "remove it")
        return data

    def size_bytes(self, path: Path) -> int | None:
        """Length of a file; None when there is none."""
        with _typed(path):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def free_bytes(self, directory: Path) -> int:
        """Space that this user may still fill."""
        with _typed(directory):
            return shutil.disk_usage(directory).free

    def _ensure(self, directory: Path) -> None:
        """Make a directory that is itself there after a power cut."""
        if not directory.is_dir():
            self._ensure(directory.parent)
            directory.mkdir(exist_ok=True)
            self._sync(directory.parent)

    def _write(self, path: Path, data: bytes, append: bool) -> None:
        with path.open("ab" if append else "wb") as file:
            file.write(data)

    def _sync(self, path: Path) -> None:
        if not self._durable:
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def _truncate(self, path: Path, size_bytes: int) -> None:
        os.truncate(path, size_bytes)

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
