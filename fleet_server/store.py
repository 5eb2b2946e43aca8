"""One writer thread, many readers, on one SQLite file in WAL mode.

Everything that changes the database is a job given to :meth:`Store.submit`. The writer takes the
jobs that are waiting, runs each inside a savepoint of one transaction, and resolves their futures
only after COMMIT: whoever holds a resolved future knows that its change is on disk.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sqlite_utils import Database

from fleet_server.schema import MIGRATIONS
from wire.errors import StoreError

T = TypeVar("T")
Row = dict[str, Any]
MAX_BATCH: Final = 1000
_STOP: Final = None


def first(db: Database, sql: str, parameters: tuple[Any, ...] | Row = ()) -> Row | None:
    """First row of a query, or None."""
    return next(iter(db.query(sql, parameters)), None)


def only(db: Database, sql: str, parameters: tuple[Any, ...] | Row = ()) -> Row:
    """The row of a query that always has one; StoreError when the database says otherwise."""
    row = first(db, sql, parameters)
    if row is None:
        raise StoreError("row_lost", "the database lacks a row that it must have", "restore it from a backup")
    return row


class _Job(Generic[T]):
    """One change and the promise of its result."""

    def __init__(self, run: Callable[[Database], T]) -> None:
        self.run = run
        self.future: Future[T] = Future()
        self.result: T
        self.error: Exception | None = None

    def execute(self, db: Database) -> None:
        try:
            with db.atomic():
                self.result = self.run(db)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits on the future
            self.error = error

    def settle(self, commit_error: Exception | None) -> None:
        error = self.error or commit_error
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class Store:
    """The server's database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer_db = self._open()
            self._writer_db.enable_wal()
            # FULL: a PUBACK that we send means "on disk"; batches make it cheap.
            self._writer_db.conn.execute("PRAGMA synchronous=FULL")
            MIGRATIONS.apply(self._writer_db)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                "no_database", f"cannot open the database {path}: {error}", "check the data directory"
            ) from error
        self._thread = threading.Thread(target=self._write_until_stopped, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Database], T]) -> Future[T]:
        """Queue a change; the future resolves after COMMIT, with what ``run`` returned or raised."""
        job = _Job(run)
        self._jobs.put(job)
        return job.future

    def write(self, run: Callable[[Database], T]) -> T:
        """Make a change and wait until it is committed."""
        return self.submit(run).result()

    def read(self, run: Callable[[Database], T]) -> T:
        """Let ``run`` query on the caller's own connection, which cannot write."""
        return run(self._reader())

    def rows(self, sql: str, parameters: tuple[Any, ...] | Row = ()) -> list[Row]:
        """Rows of a query, read on the caller's own connection."""
        return list(self._reader().query(sql, parameters))

    def row(self, sql: str, parameters: tuple[Any, ...] | Row = ()) -> Row | None:
        """First row of a query, or None."""
        return first(self._reader(), sql, parameters)

    def close(self) -> None:
        """Finish the queued changes and close every connection."""
        self._jobs.put(_STOP)
        self._thread.join()
        self._writer_db.close()
        with self._readers_lock:
            for connection in self._readers:
                connection.close()

    def _open(self) -> Database:
        # Autocommit: transactions are begun by Database.atomic alone.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        return Database(connection)

    def _reader(self) -> Database:
        reader: Database | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._open()
            reader.conn.execute("PRAGMA query_only=ON")
            self._local.reader = reader
            with self._readers_lock:
                self._readers.append(reader.conn)
        return reader

    def _write_until_stopped(self) -> None:
        while (job := self._jobs.get()) is not _STOP:
            batch, stop = self._waiting(job)
            self._commit(batch)
            if stop:
                return

    def _waiting(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is _STOP:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job[Any]]) -> None:
        commit_error: Exception | None = None
        try:
            with self._writer_db.atomic():
                for job in batch:
                    job.execute(self._writer_db)
        except sqlite3.Error as error:
            commit_error = StoreError(
                "write_failed", f"the database did not take the change: {error}", "check disk space"
            )
        for job in batch:
            job.settle(commit_error)
