"""A disk whose power goes at a chosen operation, and that forgets what was not synced."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from device_agent.disk import Disk


class Cut(StrEnum):
    """What is left of the work of which no sync has returned."""

    KEPT = "kept"
    """All that went before the operation."""
    TORN = "torn"
    """That, and half of the operation's own bytes."""
    LOST = "lost"
    """Nothing: contents and directory entries are as of their last sync."""


class PowerCut(BaseException):
    """The process is gone; nothing may catch this."""


class FaultDisk(Disk):
    """Counts primitive operations; at number ``at`` the power goes."""

    def __init__(self, root: Path, at: int | None = None, cut: Cut = Cut.KEPT) -> None:
        super().__init__()
        self.operations = 0
        self.dark = False
        self._root = root
        self._at = at
        self._cut = cut
        self._synced = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        self._tree = dict(self._synced)

    def _write(self, path: Path, data: bytes, append: bool) -> None:
        self._count(lambda: Disk._write(self, path, data[: len(data) // 2], append))
        super()._write(path, data, append)
        if not append:
            self._synced[path] = b""

    def _sync(self, path: Path) -> None:
        self._count()
        tree = self._tree
        if not path.is_dir():
            self._synced[path] = path.read_bytes()
            if path in tree:
                tree[path] = self._synced[path]
            return
        for file in [file for file in tree if file.parent == path]:
            del tree[file]
        for file in path.iterdir():
            if file.is_file():
                tree[file] = self._synced.get(file, b"")

    def _rename(self, old: Path, new: Path) -> None:
        self._count()
        super()._rename(old, new)
        self._synced[new] = self._synced.pop(old, b"")

    def _truncate(self, path: Path, size_bytes: int) -> None:
        self._count()
        super()._truncate(path, size_bytes)

    def _unlink(self, path: Path) -> None:
        self._count()
        super()._unlink(path)
        self._synced.pop(path, None)

    def _count(self, half: object = None) -> None:
        if self.dark:
            raise PowerCut
        self.operations += 1
        if self.operations != self._at:
            return
        self.dark = True
        if self._cut is Cut.TORN and callable(half):
            half()
        elif self._cut is Cut.LOST:
            self._forget()
        raise PowerCut

    def _forget(self) -> None:
        tree = self._tree
        for file in [file for file in self._root.rglob("*") if file.is_file()]:
            if file not in tree:
                file.unlink()
        for file, data in tree.items():
            file.write_bytes(data)
