"""The bundle on disk: ``manifest.json``, the files it names, and ``signature.json`` over it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from securesystemslib.signer import Signer

from wire.errors import InputError, NotFoundError, StoreError, TrustError
from wire.limits import MAX_BUNDLE_BYTES, MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES
from wire.manifest import (
    IMAGE_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    FileEntry,
    Manifest,
    decode_manifest,
    digest_of,
    encode_manifest,
)
from wire.states import Reason
from wire.trust import Artifact, sign_manifest

_GOLDEN: Final = "golden/"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are all what its manifest says. Who signed it is a separate question."""

    manifest: Manifest
    manifest_bytes: bytes
    digest: str
    files: dict[str, bytes]
    signature: bytes | None

    @property
    def artifact(self) -> Artifact:
        """Manifest and signature as they travel; TrustError when it is not signed."""
        if self.signature is None:
            raise TrustError(Reason.UNTRUSTED, "the bundle is not signed", "sign it: tinyfleet bundle sign")
        return Artifact(manifest=self.manifest_bytes.decode(), signature=self.signature.decode())

    @property
    def payload(self) -> bytes:
        """What devices download: their files, one after the other."""
        return b"".join(self.files[entry.path] for entry in self.manifest.device_files)


def entries(files: Mapping[str, bytes]) -> list[FileEntry]:
    """Manifest entries in the order of ``files``; devices get model, image and golden vectors."""
    return [
        FileEntry(
            path=path,
            bytes=len(data),
            sha256=digest_of(data),
            device=path in (MODEL_FILE, IMAGE_FILE) or path.startswith(_GOLDEN),
        )
        for path, data in files.items()
    ]


def check_free(out: Path) -> None:
    """InputError unless ``out`` is absent or an empty directory."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("exists", f"{out} already exists", "choose another --out, or remove it")


def write_bundle(
    out: Path, manifest: Manifest, files: Mapping[str, bytes], signer: Signer, expires: datetime
) -> str:
    """Write and sign a bundle, whole or not at all; its digest.

    ``files`` must be what ``manifest.files`` says (see ``entries``), else TrustError.
    Raises InputError when ``out`` is taken, WireError for a manifest that no device would accept.
    """
    check_free(out)
    text = encode_manifest(manifest)
    decode_manifest(text)
    for entry in manifest.files:
        _check(entry, files[entry.path])
    content = {entry.path: files[entry.path] for entry in manifest.files}
    content |= {MANIFEST_FILE: text, SIGNATURE_FILE: sign_manifest(text, signer, expires)}
    try:
        _write(out, content)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {out}: {error.strerror}", "check the path") from error
    return digest_of(text)


def sign_bundle(path: Path, signer: Signer, expires: datetime) -> Bundle:
    """Sign what lies in ``path`` (again), once its files are checked."""
    bundle = read_bundle(path)
    signature = sign_manifest(bundle.manifest_bytes, signer, expires)
    staged = path / f".{SIGNATURE_FILE}.partial"
    try:
        staged.write_bytes(signature)
        staged.replace(path / SIGNATURE_FILE)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {path}: {error.strerror}", "check it") from error
    return Bundle(bundle.manifest, bundle.manifest_bytes, bundle.digest, bundle.files, signature)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and check every file; NotFoundError, WireError or TrustError says what is wrong."""
    text = _read(path / MANIFEST_FILE, MAX_MANIFEST_BYTES)
    manifest = decode_manifest(text)
    if sum(entry.bytes for entry in manifest.files) > 2 * MAX_BUNDLE_BYTES:
        raise InputError("oversize", f"the bundle is over {2 * MAX_BUNDLE_BYTES} bytes", "make a smaller one")
    files: dict[str, bytes] = {}
    for entry in manifest.files:
        files[entry.path] = _read(path / entry.path, entry.bytes)
        _check(entry, files[entry.path])
    signed = (path / SIGNATURE_FILE).exists()
    signature = _read(path / SIGNATURE_FILE, MAX_SIGNATURE_BYTES) if signed else None
    if signature is not None and not _is_text(signature):
        raise TrustError(Reason.UNTRUSTED, "signature.json is damaged", "sign it: tinyfleet bundle sign")
    return Bundle(manifest, text, digest_of(text), files, signature)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check(entry: FileEntry, data: bytes) -> None:
    if len(data) != entry.bytes or digest_of(data) != entry.sha256:
        raise TrustError(
            Reason.DIGEST_MISMATCH, f"{entry.path} is not the file that the manifest names", "get it again"
        )


def _read(file: Path, limit: int) -> bytes:
    """At most one byte more than ``limit``: enough to see that a file is too long."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("no_file", f"the bundle has no {file.name} ({file})", "check the path") from error
    except OSError as error:
        raise StoreError("unreadable", f"cannot read {file}: {error.strerror}", "check the path") from error


def _write(out: Path, content: Mapping[str, bytes]) -> None:
    staged = out.with_name(f".{out.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    for path, data in content.items():
        file = staged / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    if out.is_dir():
        out.rmdir()
    staged.rename(out)
