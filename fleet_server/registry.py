"""Versions of models: rows in the database, files under ``bundles/{digest}/``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database
from tuf.api.metadata import Root

from fleet_server import events
from fleet_server.store import Row, Store, first
from wire.errors import NotFoundError, RefusedError, StoreError, TrustError
from wire.limits import MAX_ROOT_BYTES
from wire.manifest import Manifest, decode_manifest, digest_of
from wire.messages import ModelRef
from wire.states import Reason
from wire.topics import check_digest
from wire.trust import Artifact, load_root, verify_manifest


class Registry:
    """The bundles that this server may ship."""

    def __init__(self, store: Store, folder: Path, image_root: Root) -> None:
        self._store = store
        self._folder = folder
        self._root = image_root

    def publish(self, artifact: Artifact, files: Mapping[str, bytes], now: float) -> ModelRef:
        """Check a bundle, keep its files and enter its version; the same bundle twice is no error.

        Raises TrustError, WireError, or RefusedError when the version exists with other content.
        """
        digest = digest_of(artifact.manifest.encode())
        manifest = verify_manifest(self._root, artifact, digest, datetime.fromtimestamp(now, UTC))
        _check_files(manifest, files)
        self._write_files(digest, {entry.path: files[entry.path] for entry in manifest.files})
        self._store.write(lambda db: _enter(db, manifest, digest, artifact, now))
        return manifest.ref(digest)

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a bundle in the registry."""
        return decode_manifest(self.artifact(digest).manifest.encode())

    def artifact(self, digest: str) -> Artifact:
        """Manifest text and signature as devices receive them."""
        row = self._row(digest)
        return Artifact(manifest=row["manifest"], signature=row["signature"])

    def payload(self, digest: str) -> bytes:
        """The bytes that devices download: the device's files in manifest order."""
        folder = self._folder / check_digest(digest)
        parts = []
        try:
            for entry in self.manifest(digest).device_files:
                with (folder / entry.path).open("rb") as file:
                    parts.append(file.read(entry.bytes + 1))
        except OSError as error:
            raise StoreError(
                "bundle_lost", f"cannot read {error.filename}: {error.strerror}", "push the bundle again"
            ) from error
        return b"".join(parts)

    def file(self, digest: str, path: str) -> bytes:
        """One file of a bundle, by its path in the manifest; NotFoundError."""
        known = {entry.path: entry for entry in self.manifest(digest).files}
        if path not in known:
            raise NotFoundError(
                "unknown_file", f"bundle {digest[:12]} has no {path[:80]!r}", "see its manifest"
            )
        try:
            with (self._folder / check_digest(digest) / path).open("rb") as file:
                return file.read(known[path].bytes + 1)
        except OSError as error:
            raise StoreError(
                "bundle_lost", f"cannot read {path}: {error.strerror}", "push the bundle again"
            ) from error

    def _row(self, digest: str) -> Row:
        row = self._store.row("SELECT * FROM versions WHERE digest = ?", (digest,))
        if row is None:
            raise NotFoundError(
                "unknown_bundle", f"there is no bundle {digest[:12]}", "see: tinyfleet model list"
            )
        return row

    def _write_files(self, digest: str, files: Mapping[str, bytes]) -> None:
        target = self._folder / digest
        if target.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=self._folder, prefix=".new-"))
        try:
            for path, data in files.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).write_bytes(data)
            fresh.replace(target)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise StoreError(
                "disk", f"cannot store the bundle: {error.strerror}", "check disk space"
            ) from error


def open_registry(store: Store, data_dir: Path, trust_dir: Path) -> Registry:
    """The registry in ``data_dir`` under the image root in ``trust_dir``."""
    path = trust_dir / "image-root.json"
    try:
        root = load_root(path.read_bytes()[: MAX_ROOT_BYTES + 1])
    except OSError as error:
        raise StoreError(
            "no_trust",
            f"cannot read {path}: {error.strerror}",
            f"make keys: tinyfleet trust init {trust_dir}",
        ) from error
    return Registry(store, data_dir / "bundles", root)


def _check_files(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    for entry in manifest.files:
        data = files.get(entry.path)
        if data is None:
            raise RefusedError("file_missing", f"the bundle lacks {entry.path}", "send every file it names")
        if len(data) != entry.bytes or digest_of(data) != entry.sha256:
            raise TrustError(
                Reason.DIGEST_MISMATCH,
                f"{entry.path} is not the file that was signed",
                "make the bundle again",
            )


def _enter(db: Database, manifest: Manifest, digest: str, artifact: Artifact, now: float) -> None:
    existing = first(
        db, "SELECT digest FROM versions WHERE model = ? AND version = ?", (manifest.model, manifest.version)
    )
    if existing is not None:
        if existing["digest"] != digest:
            raise RefusedError(
                "version_exists",
                f"{manifest.model} v{manifest.version} exists with other content",
                "convert it with the next --model-version",
            )
        return
    db.execute(
        """INSERT INTO versions (digest, model, version, manifest, signature, created_at)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (digest, manifest.model, manifest.version, artifact.manifest, artifact.signature, now),
    )
    events.record(
        db, now, "published", f"{manifest.model} v{manifest.version}", f"bundle {digest[:12]} entered"
    )
