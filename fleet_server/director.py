"""Assignments: which device shall run which bundle, signed and kept until it is published."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from securesystemslib.signer import Signer
from sqlite_utils import Database

from fleet_server.rollout_state import Opening
from fleet_server.store import Row, first, only
from wire.errors import InputError, NotFoundError, StoreError
from wire.limits import MAX_ROOT_BYTES
from wire.messages import ModelRef
from wire.states import UpdateState
from wire.trust import Assignment, Policy, load_key, load_root, sign_assignment

_KEY_FILE: Final = "director.key"


@dataclass(frozen=True)
class Director:
    """Signs assignments with the server's online key."""

    key: Signer
    life: timedelta

    def issue(
        self,
        db: Database,
        device: str,
        digest: str,
        policy: Policy,
        now: float,
        *,
        rollout: int | None = None,
        restores: int | None = None,
        opening: Opening | None = None,
    ) -> str:
        """Assign a bundle to a device under its next sequence; returns the attempt's id."""
        sequence = _next_sequence(db, device)
        attempt = f"{secrets.token_hex(4)}-{sequence}"
        policy = _timed(policy, opening, now)
        payload, expires_at = self._sign(db, device, sequence, attempt, digest, policy, now)
        db.execute(
            """INSERT INTO assignments (device, sequence, attempt, rollout, restores, digest, policy, state,
                                        issued_at, updated_at, signed_at, payload, expires_at,
                                        opens_at, closes_at, reached_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                       (SELECT ? FROM devices WHERE device = ? AND presence = 'online'))""",
            (device, sequence, attempt, rollout, restores, digest, msgspec.json.encode(policy).decode(),
             UpdateState.QUEUED, now, now, now, payload, expires_at,
             *((opening.opens_at, opening.closes_at) if opening else (None, None)), now, device),
        )  # fmt: skip
        return attempt

    def reschedule(self, db: Database, rollout: int, device: str, opening: Opening, now: float) -> None:
        """Sign a rollout's present attempt again, with the times at which the device may begin.

        Its deadline begins anew: at once for a device that is online, else when it is seen.
        """
        row = _present(db, rollout, device)
        policy = _timed(msgspec.json.decode(row["policy"], type=Policy), opening, now)
        sequence = self._sign_again(db, row, policy, now)
        db.execute(
            """UPDATE assignments SET held = ?, opens_at = ?, closes_at = ?, reached_at =
                   (SELECT ? FROM devices d WHERE d.device = assignments.device AND d.presence = 'online')
               WHERE device = ? AND sequence = ?""",
            (opening.opens_at > now, opening.opens_at, opening.closes_at, now, device, sequence),
        )

    def withdraw(self, db: Database, rollout: int, device: str, now: float) -> None:
        """Sign a rollout's present attempt again, as canceled: the device never confirms it from then on."""
        row = _present(db, rollout, device)
        policy = replace(msgspec.json.decode(row["policy"], type=Policy), cancel=True)
        sequence = self._sign_again(db, row, policy, now)
        db.execute(
            "UPDATE assignments SET withdrawn_at = ? WHERE device = ? AND sequence = ?",
            (now, device, sequence),
        )

    def renew(self, db: Database, now: float) -> int:
        """Sign assignments again whose life is half over; returns how many."""
        rows = list(
            db.query(
                """SELECT device, max(sequence) AS sequence, attempt, digest, policy, state,
                          opens_at, closes_at FROM assignments GROUP BY device HAVING expires_at < ?""",
                (now + self.life.total_seconds() / 2,),
            )
        )
        for row in rows:
            policy = msgspec.json.decode(row["policy"], type=Policy)
            if row["state"] == UpdateState.QUEUED and (row["closes_at"] or 0.0) > now + 1:
                policy = _timed(policy, Opening(row["opens_at"], row["closes_at"]), now)
            self._sign_again(db, row, policy, now)
        return len(rows)

    def _sign_again(self, db: Database, row: Row, policy: Policy, now: float) -> int:
        """A new signature over the same attempt; returns its sequence, the device's next."""
        device, sequence = row["device"], _next_sequence(db, row["device"])
        payload, expires_at = self._sign(db, device, sequence, row["attempt"], row["digest"], policy, now)
        db.execute(
            """UPDATE assignments SET sequence = ?, payload = ?, expires_at = ?, policy = ?, signed_at = ?,
                   published = 0 WHERE device = ? AND sequence = ?""",
            (sequence, payload, expires_at, msgspec.json.encode(policy).decode(), now,
             device, row["sequence"]),
        )  # fmt: skip
        return sequence

    def _sign(
        self, db: Database, device: str, sequence: int, attempt: str, digest: str, policy: Policy, now: float
    ) -> tuple[bytes, float]:
        version = first(db, "SELECT * FROM versions WHERE digest = ?", (digest,))
        if version is None:
            raise NotFoundError("unknown_bundle", f"there is no bundle {digest[:12]}", "push it first")
        bundle = ModelRef(model=version["model"], version=version["version"], digest=digest)
        assignment = Assignment(
            device=device, sequence=sequence, attempt=attempt, bundle=bundle, policy=policy
        )
        # TUF writes whole seconds.
        expires = (datetime.fromtimestamp(now, UTC) + self.life).replace(microsecond=0)
        manifest_bytes = len(version["manifest"].encode())
        return sign_assignment(assignment, manifest_bytes, self.key, expires), expires.timestamp()


def open_director(trust_dir: Path, life: timedelta) -> Director:
    """The director whose key lies in ``trust_dir``; it must be the one that the director root names."""
    try:
        key = load_key((trust_dir / _KEY_FILE).read_bytes()[:MAX_ROOT_BYTES])
        root = load_root((trust_dir / "director-root.json").read_bytes()[: MAX_ROOT_BYTES + 1])
    except OSError as error:
        raise StoreError(
            "no_trust",
            f"cannot read {error.filename}: {error.strerror}",
            f"make keys: tinyfleet trust init {trust_dir}",
        ) from error
    if key.public_key.keyid not in root.roles["targets"].keyids:
        raise InputError(
            "wrong_key",
            "director.key is not the key that director-root.json names",
            "use the pair made together",
        )
    return Director(key, life)


def _next_sequence(db: Database, device: str) -> int:
    row = only(db, "SELECT max(sequence) AS last FROM assignments WHERE device = ?", (device,))
    return int(row["last"] or 0) + 1


def _present(db: Database, rollout: int, device: str) -> Row:
    return only(
        db,
        "SELECT * FROM assignments WHERE rollout = ? AND device = ? AND replaced = 0",
        (rollout, device),
    )


def _timed(policy: Policy, opening: Opening | None, now: float) -> Policy:
    """Whole seconds from now, for devices that have no clock; begin no earlier and no later than meant."""
    if opening is None:
        return policy
    begin_in_s = math.ceil(max(0.0, opening.opens_at - now))
    begin_for_s = math.floor(opening.closes_at - now - begin_in_s)
    return replace(policy, begin_in_s=begin_in_s, begin_for_s=max(1, begin_for_s))
