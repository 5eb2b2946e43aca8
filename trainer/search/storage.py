"""Where a study is kept: any database that Optuna knows, so that several machines can share one.

SQLite by default, and not Optuna's journal file: a transaction that SIGKILL interrupts leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from wire.errors import InputError, StoreError

FILE: Final = "study.db"
_JOURNAL: Final = "journal:"
_SQLITE: Final = "sqlite:"
_PATIENCE_S: Final = 60
"""For another process to finish its transaction."""


def default(folder: Path) -> str:
    """The URL of a study of its own."""
    return f"sqlite:///{folder.absolute() / FILE}"


def opened(storage: str) -> BaseStorage:
    """``storage`` is SQLAlchemy's URL, or ``journal:PATH`` for a file on a shared disk."""
    if storage.startswith(_JOURNAL):
        return JournalStorage(JournalFileBackend(storage.removeprefix(_JOURNAL)))
    patient = {"connect_args": {"timeout": _PATIENCE_S}} if storage.startswith(_SQLITE) else None
    return RDBStorage(storage, engine_kwargs=patient)


@contextmanager
def explained(storage: str) -> Iterator[None]:
    """Errors of storages and drivers, of many families, as one line without the URL's password."""
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    kind = storage.partition(":")[0]
    try:
        yield
    except (ArgumentError, ValueError) as error:
        raise InputError(
            "bad_storage", f"--storage: no URL that is known ({kind})", "such as sqlite:///study.db"
        ) from error
    except ImportError as error:
        raise InputError(
            "no_driver",
            f"--storage {kind}: its database driver is not installed",
            "pip install the one that SQLAlchemy uses for it, such as psycopg2-binary for postgresql",
        ) from error
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        words = " ".join(str(error).split())[:160]
        raise StoreError("no_storage", f"cannot open the study: {words}", "check --storage") from error
