"""The database's schema, as migrations that run once each, in order."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from fleet_server import alert_schema

MIGRATIONS: Final = Migrations("fleet_server")


@MIGRATIONS()
def m001_registry(db: Database) -> None:
    """Versions of models, and who may use the API."""
    db.execute("""
        CREATE TABLE versions (
            digest TEXT PRIMARY KEY,
            model TEXT NOT NULL,
            version INTEGER NOT NULL,
            manifest TEXT NOT NULL,
            signature TEXT NOT NULL,
            created_at REAL NOT NULL,
            UNIQUE (model, version)
        )""")
    db.execute("""
        CREATE TABLE tokens (
            sha256 TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            created_at REAL NOT NULL
        )""")
    db.execute("CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


@MIGRATIONS()
def m002_devices(db: Database) -> None:
    """What each device last said, what it was told, and what became of it."""
    db.execute("""
        CREATE TABLE devices (
            device TEXT PRIMARY KEY,
            first_seen_at REAL NOT NULL,
            seen_at REAL NOT NULL,
            presence TEXT NOT NULL DEFAULT 'offline',
            session INTEGER NOT NULL DEFAULT 0,
            status_boot TEXT,
            boot TEXT,
            seq INTEGER,
            board TEXT, target TEXT, numerics TEXT, runtime TEXT, ram_bytes INTEGER, flash_bytes INTEGER,
            model TEXT, version INTEGER, digest TEXT, slots TEXT,
            attempt TEXT, state TEXT, reason TEXT, detail TEXT
        )""")
    db.execute("""
        CREATE TABLE assignments (
            device TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            attempt TEXT NOT NULL,
            rollout INTEGER,
            restores INTEGER,
            digest TEXT NOT NULL,
            policy TEXT NOT NULL,
            state TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT 'none',
            detail TEXT NOT NULL DEFAULT '',
            downloaded_bytes INTEGER NOT NULL DEFAULT 0,
            issued_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            confirmed_at REAL,
            observed_at REAL,
            payload BLOB NOT NULL,
            expires_at REAL NOT NULL,
            published INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (device, sequence)
        )""")
    db.execute("CREATE INDEX assignments_by_rollout ON assignments (rollout, device)")
    db.execute("CREATE INDEX assignments_by_restored ON assignments (restores, device)")
    db.execute("CREATE INDEX assignments_by_attempt ON assignments (device, attempt)")
    db.execute("CREATE INDEX assignments_unpublished ON assignments (published) WHERE published = 0")


@MIGRATIONS()
def m003_rollouts(db: Database) -> None:
    """Rollouts, their members and what happened."""
    db.execute("""
        CREATE TABLE rollouts (
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL,
            created_at REAL NOT NULL,
            active INTEGER NOT NULL,
            body TEXT NOT NULL
        )""")
    db.execute("""
        CREATE TABLE rollout_devices (
            rollout INTEGER NOT NULL,
            device TEXT NOT NULL,
            stage INTEGER,
            previous_digest TEXT,
            refused TEXT,
            PRIMARY KEY (rollout, device)
        )""")
    db.execute("""
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            message TEXT NOT NULL
        )""")
    db.execute("""
        CREATE TABLE alerts (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            severity TEXT NOT NULL,
            subject TEXT NOT NULL,
            message TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'open'
        )""")


@MIGRATIONS()
def m004_telemetry(db: Database) -> None:
    """Windows as they came, and their sums by minute and version."""
    db.execute("""
        CREATE TABLE telemetry (
            id INTEGER PRIMARY KEY,
            device TEXT NOT NULL,
            boot TEXT NOT NULL,
            seq INTEGER NOT NULL,
            received_at REAL NOT NULL,
            digest TEXT NOT NULL,
            payload TEXT NOT NULL,
            UNIQUE (device, boot, seq)
        )""")
    db.execute("CREATE INDEX telemetry_by_digest ON telemetry (digest, id)")
    db.execute("""
        CREATE TABLE score_rollup (
            minute INTEGER NOT NULL,
            digest TEXT NOT NULL,
            numerics TEXT NOT NULL,
            windows INTEGER NOT NULL,
            n INTEGER NOT NULL,
            errors INTEGER NOT NULL,
            labelled INTEGER NOT NULL,
            correct INTEGER NOT NULL,
            PRIMARY KEY (minute, digest, numerics)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE latency_rollup (
            minute INTEGER NOT NULL,
            digest TEXT NOT NULL,
            clock TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (minute, digest, clock, bucket)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE quarantine (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            topic TEXT NOT NULL,
            code TEXT NOT NULL,
            message TEXT NOT NULL,
            payload BLOB NOT NULL
        )""")


@MIGRATIONS()
def m005_model_format(db: Database) -> None:
    """Which form of model each device's runtime executes."""
    db.execute("ALTER TABLE devices ADD COLUMN format TEXT NOT NULL DEFAULT 'tflite'")


@MIGRATIONS()
def m006_latency_by_board(db: Database) -> None:
    """The same model takes another time on each board; what was summed up before has no board."""
    db.execute("""
        CREATE TABLE board_latency_rollup (
            minute INTEGER NOT NULL,
            digest TEXT NOT NULL,
            board TEXT NOT NULL,
            clock TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (minute, digest, board, clock, bucket)
        ) WITHOUT ROWID""")
    db.execute(
        "INSERT INTO board_latency_rollup SELECT minute, digest, '', clock, bucket, count FROM latency_rollup"
    )
    db.execute("DROP TABLE latency_rollup")


@MIGRATIONS()
def m007_tags(db: Database) -> None:
    """What operators say of devices; a device may be tagged before it was ever seen."""
    db.execute("""
        CREATE TABLE device_tags (
            device TEXT NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (device, name, value)
        ) WITHOUT ROWID""")


@MIGRATIONS()
def m008_rollout_arms(db: Database) -> None:
    """Control arms, retries, maintenance windows, and what a device said of itself as it said it.

    Rollouts of before go on as they were planned: no control arm, no newcomers, no gates.
    """
    for column in (
        "arm TEXT NOT NULL DEFAULT 'new'",
        "lot REAL NOT NULL DEFAULT 0",
        "attempts INTEGER NOT NULL DEFAULT 0",
        "refused_reason TEXT",
        "examined TEXT",
    ):
        db.execute(f"ALTER TABLE rollout_devices ADD COLUMN {column}")
    for column in (
        "replaced INTEGER NOT NULL DEFAULT 0",
        "signed_at REAL NOT NULL DEFAULT 0",
        "reached_at REAL",
        "held INTEGER NOT NULL DEFAULT 0",
        "opens_at REAL",
        "closes_at REAL",
        "withdrawn_at REAL",
    ):
        db.execute(f"ALTER TABLE assignments ADD COLUMN {column}")
    db.execute("ALTER TABLE devices ADD COLUMN hardware TEXT")
    db.execute("ALTER TABLE rollouts ADD COLUMN looked_at REAL NOT NULL DEFAULT 0")
    db.execute("""
        UPDATE devices SET hardware = json_object(
            'target', target, 'board', board, 'numerics', numerics, 'runtime', runtime,
            'ram_bytes', ram_bytes, 'flash_bytes', flash_bytes, 'format', format)
        WHERE board IS NOT NULL""")
    db.execute("UPDATE assignments SET signed_at = issued_at, reached_at = issued_at")
    db.execute("""
        UPDATE rollout_devices SET attempts = (
            SELECT count(*) FROM assignments a
            WHERE a.rollout = rollout_devices.rollout AND a.device = rollout_devices.device)""")
    db.execute("UPDATE rollout_devices SET refused_reason = substr(refused, 1, instr(refused, ':') - 1)")
    db.execute(
        """UPDATE rollouts SET body = json_set(
               body, '$.started_at', created_at, '$.policy.control', 0, '$.policy.dynamic', json('false'),
               '$.policy.retry', json('{"times": 0}'), '$.policy.gates', json(?))""",
        (_NO_GATES,),
    )
    db.execute("CREATE INDEX assignments_unreached ON assignments (device) WHERE reached_at IS NULL")
    db.execute("CREATE INDEX rollouts_active ON rollouts (active) WHERE active = 1")


#: Of m008: every gate that there was then, switched off.
_NO_GATES: Final = """{"failures": null, "crashes": null, "accuracy": null, "errors": null, "latency": null,
    "confidence": null, "classes": null, "memory": null, "energy": null}"""


@MIGRATIONS()
def m009_gates(db: Database) -> None:
    """What the gates of rollouts add up, how they stand, and what each decision was made from."""
    db.execute("""
        CREATE TABLE gate_cursors (
            rollout INTEGER PRIMARY KEY,
            fed_id INTEGER NOT NULL,
            unseen INTEGER NOT NULL
        )""")
    db.execute("""
        CREATE TABLE gate_cells (
            rollout INTEGER NOT NULL,
            device TEXT NOT NULL,
            bin INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (rollout, device, bin)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE gate_lives (
            rollout INTEGER NOT NULL,
            device TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (rollout, device)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE gate_shadows (
            rollout INTEGER NOT NULL,
            device TEXT NOT NULL,
            n INTEGER NOT NULL,
            disagreed INTEGER NOT NULL,
            updated_id INTEGER NOT NULL,
            PRIMARY KEY (rollout, device)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE gate_looks (
            rollout INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            failed INTEGER NOT NULL,
            judgements TEXT NOT NULL,
            evidence BLOB NOT NULL
        )""")
    db.execute("""
        CREATE TABLE gate_decisions (
            id INTEGER PRIMARY KEY,
            rollout INTEGER NOT NULL,
            stage INTEGER NOT NULL,
            at REAL NOT NULL,
            judgements TEXT NOT NULL,
            evidence BLOB NOT NULL
        )""")
    db.execute("CREATE INDEX gate_decisions_by_rollout ON gate_decisions (rollout, id)")


MIGRATIONS()(alert_schema.m010_alerts)


@MIGRATIONS()
def m011_drift(db: Database) -> None:
    """Looks at what devices see and answer, and what is remembered of them."""
    db.execute("""
        CREATE TABLE drift_cursor (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            fed_id INTEGER NOT NULL,
            examined_at REAL NOT NULL DEFAULT 0
        )""")
    db.execute("CREATE TABLE drift_cells (device TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID")
    db.execute("""
        CREATE TABLE drift_looks (
            id INTEGER PRIMARY KEY,
            device TEXT NOT NULL,
            ended_at REAL NOT NULL,
            body TEXT NOT NULL
        )""")
    db.execute("""
        CREATE TABLE drift_detectors (
            model TEXT NOT NULL,
            kind TEXT NOT NULL,
            size INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (model, kind, size)
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE drift_devices (
            model TEXT NOT NULL,
            kind TEXT NOT NULL,
            size INTEGER NOT NULL,
            device TEXT NOT NULL,
            digest TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (model, kind, size, device)
        ) WITHOUT ROWID""")


@MIGRATIONS()
def m012_samples(db: Database) -> None:
    """What devices were asked for, and the windows that they sent."""
    db.execute("""
        CREATE TABLE sample_requests (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            asked_by TEXT NOT NULL,
            alert INTEGER,
            per_device INTEGER NOT NULL
        )""")
    db.execute("""
        CREATE TABLE sample_asks (
            request INTEGER NOT NULL,
            device TEXT NOT NULL,
            payload BLOB NOT NULL,
            state TEXT NOT NULL DEFAULT 'new',
            PRIMARY KEY (request, device)
        ) WITHOUT ROWID""")
    db.execute("CREATE INDEX sample_asks_by_state ON sample_asks (state) WHERE state IN ('new', 'answered')")
    db.execute("""
        CREATE TABLE samples (
            id INTEGER PRIMARY KEY,
            request INTEGER NOT NULL,
            device TEXT NOT NULL,
            place INTEGER NOT NULL,
            of INTEGER NOT NULL,
            received_at REAL NOT NULL,
            taken_at REAL NOT NULL,
            digest TEXT NOT NULL,
            answer INTEGER NOT NULL,
            confidence REAL NOT NULL,
            label INTEGER,
            labelled_by TEXT,
            shape TEXT NOT NULL,
            payload BLOB NOT NULL,
            sha256 TEXT NOT NULL,
            UNIQUE (request, device, place)
        )""")


for migration in (alert_schema.m013_notices, alert_schema.m014_silences):
    MIGRATIONS()(migration)
