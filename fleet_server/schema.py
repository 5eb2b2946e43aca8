"""The database's schema, as migrations that run once each, in order."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

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
