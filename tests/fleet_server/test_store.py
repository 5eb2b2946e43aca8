"""One writer, commits before promises, and nothing half done."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from fleet_server.store import Store
from wire.errors import StoreError

INSERT = "INSERT INTO events (at, kind, subject, message) VALUES (0, 'k', 's', ?)"


def _insert(message: str):
    return lambda db: db.execute(INSERT, (message,)).lastrowid


def _messages(store: Store) -> list[str]:
    return [row["message"] for row in store.rows("SELECT message FROM events ORDER BY id")]


def test_a_failing_change_leaves_the_others_of_its_batch_alone(tmp_path: Path) -> None:
    def half_done(db: Database) -> None:
        db.execute(INSERT, ("half",))
        raise ValueError("no")

    store = Store(tmp_path / "fleet.db")
    jobs = [store.submit(_insert("one")), store.submit(half_done), store.submit(_insert("two"))]
    assert isinstance(jobs[1].exception(10), ValueError)
    assert jobs[0].result(10)
    assert jobs[2].result(10)
    assert _messages(store) == ["one", "two"]
    store.close()


def test_what_was_promised_survives_a_kill(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom fleet_server.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        f"for i in range(100000):\n    store.write(lambda db: db.execute({INSERT!r}, (str(i),)))\n"
        "    print(i, flush=True)\n"
    )
    path = tmp_path / "fleet.db"
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    promised = -1
    for line in child.stdout:
        promised = int(line)
        if promised == 50:
            os.kill(child.pid, signal.SIGKILL)
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    store = Store(path)
    kept = _messages(store)
    assert kept[: promised + 1] == [str(i) for i in range(promised + 1)]
    store.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "fleet.db")
    with pytest.raises(Exception, match="readonly"):
        store.rows(INSERT, ("sneaky",))
    store.close()


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    first = Store(tmp_path / "fleet.db")
    first.write(_insert("kept"))
    first.close()
    second = Store(tmp_path / "fleet.db")
    assert _messages(second) == ["kept"]
    second.close()


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="cannot open the database"):
        Store(path)
