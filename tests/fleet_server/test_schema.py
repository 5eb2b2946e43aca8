"""What becomes of the rows of a former release."""

import sqlite3
from pathlib import Path

import msgspec
from sqlite_utils import Database

from fleet_server import queries, rollout_driver
from fleet_server.schema import MIGRATIONS
from fleet_server.store import Store
from wire.messages import Hardware


def test_a_database_of_the_former_release_goes_on(tmp_path: Path) -> None:
    """Rows as they were written before control arms, with a rollout in the middle of its first stage."""
    path = tmp_path / "fleet.db"
    old = Database(sqlite3.connect(path, isolation_level=None))
    MIGRATIONS.apply(old, stop_before="m008_rollout_arms")
    digest = "a" * 64
    body = {
        "id": 1,
        "bundle": {"model": "watch", "version": 1, "digest": digest},
        "policy": {"stages": [0.5, 1.0], "max_failed": 0.1, "deadline_s": 60.0, "soak_s": 1.0,
                   "device": {"trial_inferences": 5, "report_every_ms": 60000}},
        "state": "running",
        "stages": [{"share": 0.5, "devices": 1, "state": "running", "started_at": 5.0},
                   {"share": 1.0, "devices": 1}],
        "current": 0,
        "reason": "",
    }  # fmt: skip
    old.execute("INSERT INTO rollouts VALUES (1, ?, 5.0, 1, ?)", (digest, msgspec.json.encode(body).decode()))
    old.execute("INSERT INTO rollout_devices VALUES (1, 'd0', 0, NULL, NULL), (1, 'd1', 1, NULL, NULL)")
    old.execute("INSERT INTO rollout_devices VALUES (1, 'd2', NULL, NULL, 'out_of_ram: too much')")
    old.execute(
        """INSERT INTO devices (device, first_seen_at, seen_at, board, target, numerics, runtime, ram_bytes,
                                flash_bytes) VALUES ('d0', 1, 1, 'b', 'cortex-m4', 'tflm', 'r', 1, 1)"""
    )
    old.execute(
        """INSERT INTO assignments (device, sequence, attempt, rollout, digest, policy, state, issued_at,
                                    updated_at, payload, expires_at)
           VALUES ('d0', 1, 'x-1', 1, ?, '{}', 'queued', 5.0, 5.0, '', 9e9)""",
        (digest,),
    )
    old.close()
    store = Store(path)
    try:
        loaded = store.write(lambda db: rollout_driver.load(db, 1))
        assert (loaded.policy.control, loaded.policy.dynamic, loaded.started_at) == (0, False, 5.0)
        assert loaded.policy.gates.accuracy is None
        assert loaded.policy.retry.times == 0
        members = {
            m["device"]: (m["state"], m["reason"], m["arm"]) for m in queries.rollout(store, 1)["devices"]
        }
        assert members == {
            "d0": ("queued", "none", "new"),
            "d1": (None, None, "new"),
            "d2": ("rejected", "out_of_ram", "new"),
        }
        (row,) = store.rows("SELECT hardware FROM devices")
        assert msgspec.json.decode(row["hardware"], type=Hardware).format == "tflite"
        (wish,) = store.rows("SELECT reached_at, signed_at FROM assignments")
        assert wish == {"reached_at": 5.0, "signed_at": 5.0}
    finally:
        store.close()
