"""What a killed server left on disk, and whether it kept its promises."""

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.fleet_server.crowd import Crowd

_GOOD = {"confirmed", "succeeded", "already_installed"}
#: Inferences that should be in a rollout's sums, counted from the windows themselves: of members, behind the
#: cursor, before the rollout those of the former version, since then those of the arm's version.
_MEANT = """
    SELECT r.id, t.device, sum(json_extract(t.payload, '$.n')) FROM rollouts r
    JOIN gate_cursors c ON c.rollout = r.id
    JOIN rollout_devices m ON m.rollout = r.id AND m.stage IS NOT NULL
    JOIN telemetry t ON t.device = m.device AND t.id <= c.fed_id
    WHERE t.received_at >= json_extract(r.body, '$.started_at') - 3600
      AND t.digest = CASE WHEN m.arm = 'control' OR t.received_at < json_extract(r.body, '$.started_at')
                     THEN m.previous_digest ELSE r.digest END
    GROUP BY 1, 2"""
_COUNTED = """
    SELECT rollout, device, sum(json_extract(body, '$.sums.errors[1]')) FROM gate_cells GROUP BY 1, 2"""


@contextmanager
def disk(database: Path) -> Iterator[sqlite3.Connection]:
    """A copy: who opens the database itself does the recovery that is the next server's to do."""
    with tempfile.TemporaryDirectory() as folder:
        for file in database.parent.glob(f"{database.name}*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / database.name)) as db:
            yield db


def moment(db: sqlite3.Connection) -> str:
    """Where the newest rollout was."""
    row = db.execute(
        """SELECT json_extract(body, '$.state'), json_extract(body, '$.current') FROM rollouts
           ORDER BY id DESC LIMIT 1"""
    ).fetchone()
    return "no rollout" if row is None else f"{row[0]}, stage {row[1] + 1}"


def unpublished(db: sqlite3.Connection) -> bool:
    """Whether a wish was committed and not yet noted as published."""
    return bool(db.execute("SELECT count(*) FROM assignments WHERE published = 0").fetchone()[0])


def check_attempts(db: sqlite3.Connection, crowd: Crowd) -> None:
    """Exactly one attempt of each member in a rollout that finished; control devices in the release alone."""
    states = dict(db.execute("SELECT id, json_extract(body, '$.state') FROM rollouts"))
    assert set(states.values()) <= {"finished", "stopped"}
    members = db.execute("SELECT rollout, device FROM rollout_devices WHERE stage IS NOT NULL").fetchall()
    made = Counter(db.execute("SELECT rollout, device FROM assignments WHERE rollout IS NOT NULL").fetchall())
    whole = [member for member in members if states[member[0]] == "finished"]
    assert Counter(dict.fromkeys(whole, 1)) == Counter({k: n for k, n in made.items() if k in set(whole)})
    assert set(made) <= set(members)
    assert set(made.values()) == {1}, "nobody is told a rollout twice"
    control = db.execute("SELECT count(*) FROM rollout_devices WHERE arm = 'control'").fetchone()[0]
    assert control, "nobody was ever in a control arm"
    early = db.execute(
        """SELECT count(*) FROM assignments a JOIN rollout_devices m USING (rollout, device)
           JOIN rollouts r ON r.id = a.rollout WHERE m.arm = 'control' AND a.issued_at < ifnull(
               (SELECT json_extract(s.value, '$.started_at') FROM json_each(r.body, '$.stages') s
                WHERE json_extract(s.value, '$.kind') = 'release'), 1e18)"""
    ).fetchone()[0]
    assert not early, "a control device was told before the release"
    known = set(db.execute("SELECT device, attempt FROM assignments"))
    told = {(device, wish.attempt) for device, wishes in crowd.told.items() for wish in wishes}
    assert told <= known, "told what was never committed"
    ends = dict(db.execute("SELECT attempt, state FROM assignments WHERE rollout IS NOT NULL OR restores"))
    assert {ends[attempt] for _, attempt in told} <= _GOOD | {"canceled"}
    assert not [attempt for _, attempt in known - told if ends[attempt] != "canceled"], "on record, not told"
    for device, wishes in crowd.told.items():
        order = [wish.sequence for wish in wishes]
        assert order == sorted(order), f"{device} was told an older wish after a newer"


def check_undone(db: sqlite3.Connection) -> int:
    """Who had the version of a rolled back rollout was given its former one, once; returns how many."""
    rows = db.execute(
        """SELECT a.state, m.previous_digest, count(b.attempt), min(b.state), min(b.digest)
           FROM assignments a JOIN rollouts r ON r.id = a.rollout AND json_extract(r.body, '$.undone')
           JOIN rollout_devices m ON m.rollout = a.rollout AND m.device = a.device
           LEFT JOIN assignments b ON b.restores = a.rollout AND b.device = a.device
           GROUP BY a.rollout, a.device"""
    ).fetchall()
    for state, former, times, end, given in rows:
        if state in _GOOD:
            assert (times, given) == (1, former), "given back once"
            assert end in _GOOD
        else:
            assert state == "canceled"
    return sum(state in _GOOD for state, *_ in rows)


def check_running(db: sqlite3.Connection, running: dict[str, str]) -> None:
    """Every device runs what it was last told, unless that was withdrawn. By digest."""
    meant = dict(
        db.execute(
            """SELECT device, digest FROM assignments a WHERE sequence = (
                   SELECT max(sequence) FROM assignments b
                   WHERE b.device = a.device AND b.state != 'canceled')"""
        )
    )
    assert running == meant
    assert dict(db.execute("SELECT device, digest FROM devices")) == running


def check_windows(db: sqlite3.Connection, crowd: Crowd) -> int:
    """Every acknowledged window is stored once, and in the gates' sums once; returns how many inferences."""
    stored = Counter(db.execute("SELECT device, boot, seq FROM telemetry").fetchall())
    assert stored == Counter(dict.fromkeys(crowd.windows, 1))
    counted = {row[:2]: row[2] for row in db.execute(_COUNTED)}
    assert counted == {row[:2]: row[2] for row in db.execute(_MEANT)}
    return round(sum(counted.values()))
