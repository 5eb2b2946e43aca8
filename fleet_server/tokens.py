"""API tokens: 256 random bits each, kept as SHA-256 (so much entropy needs no slow hash)."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from sqlite_utils import Database

from fleet_server.store import Store
from wire.errors import AccessError, StoreError


def ensure_admin(store: Store, data_dir: Path, now: float) -> Path:
    """Make the admin token on the first start; returns the file that holds it, readable by its owner only."""
    path = data_dir / "admin.token"
    if store.row("SELECT 1 FROM tokens WHERE name = 'admin'") is not None and path.exists():
        return path
    token = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
    except OSError as error:
        raise StoreError(
            "no_token", f"cannot write {path}: {error.strerror}", "check the data directory"
        ) from error
    store.write(lambda db: _add(db, "admin", token, now))
    return path


def check(store: Store, authorization: str | None) -> str:
    """Name of the token in an ``Authorization: Bearer`` header; AccessError when it does not hold."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AccessError("no_token", "an API token is needed", "send Authorization: Bearer TOKEN")
    row = store.row("SELECT name FROM tokens WHERE sha256 = ?", (_hash(token.strip()),))
    if row is None:
        raise AccessError(
            "bad_token", "the API token is not known", "see admin.token in the server's data directory"
        )
    return str(row["name"])


def _add(db: Database, name: str, token: str, now: float) -> None:
    db.execute("DELETE FROM tokens WHERE name = ?", (name,))
    db.execute("INSERT INTO tokens (sha256, name, created_at) VALUES (?, ?, ?)", (_hash(token), name, now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
