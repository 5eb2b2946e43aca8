"""Who may say what: Uptane's two repositories, on python-tuf's Metadata API.

The *image* side says what a bundle is: a release key, kept offline, signs its manifest.
The *director* side says which device gets what: the server's online key signs an assignment with a
sequence and an expiry. A device needs both, each under its own root, so a stolen server key alone
cannot ship a model. (Uptane Standard 2.1, sections 5.2 and 5.4; TUF specification 1.0.34, section 4.)

Everything here is pure: bytes, keys and the time come in as arguments.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Role, Root, TargetFile, Targets
from tuf.api.serialization import DeserializationError, SerializationError
from tuf.api.serialization.json import JSONSerializer

from wire.errors import InputError, TrustError, WireError
from wire.limits import MAX_PAYLOAD_BYTES, MAX_ROOT_BYTES, MAX_SIGNATURE_BYTES
from wire.manifest import MANIFEST_FILE, Manifest, decode_manifest, digest_of
from wire.messages import AttemptId, Message, ModelRef, Name
from wire.sketch import Count
from wire.states import Reason

_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
_S = TypeVar("_S", Root, Targets)


class Policy(Message, frozen=True, kw_only=True):
    """How the device shall try, and report on, the model."""

    trial_inferences: Count = 5
    """Live inferences that must run without error after the golden vectors, before the confirm."""
    report_every_ms: Annotated[int, msgspec.Meta(ge=100, le=86_400_000)] = 60_000
    """Length of a telemetry window (an integer: TUF's canonical JSON has no fractions)."""
    shadow_inferences: Count = 0
    """Inputs that the new model must have seen beside the confirmed one before it may answer; 0: none."""
    shadow_per_mille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200
    """Share of the inputs that the new model sees as well, meanwhile."""
    shadow_max_disagree_per_mille: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1000
    """Share of those on which it may not give the confirmed model's label; 1000: only report it."""
    begin_in_s: Count = 0
    """From receipt until the device may begin: it may have no clock to know a date by."""
    begin_for_s: Count = 0
    """How long from then it may begin; 0: without end."""
    cancel: bool = False
    """End the attempt, unless it is confirmed already."""
    new_schema: bool = False
    """The bundle may have other inputs or labels than the confirmed one; see wire.fit.check_schema."""

    @property
    def waits(self) -> bool:
        """Whether there is a time to begin at."""
        return bool(self.begin_in_s or self.begin_for_s)


class Assignment(Message, frozen=True, kw_only=True):
    """Which bundle one device shall run, as the director signed it."""

    device: Name
    sequence: Count
    """Rises with every assignment to the device: not the model's version (SUIT, RFC 9124 4.3.1)."""
    attempt: AttemptId
    bundle: ModelRef
    policy: Policy = Policy()


class _Custom(Message, frozen=True, kw_only=True):
    """The part of an assignment that TUF's targets metadata has no field for."""

    device: Name
    attempt: AttemptId
    model: Name
    version: Count
    policy: Policy


class Artifact(Message, frozen=True, kw_only=True):
    """Topic ``a/{digest}/manifest``: the manifest's exact text, and the release signature over it."""

    manifest: str
    signature: str


def new_key() -> bytes:
    """A new Ed25519 private key as PKCS #8 PEM."""
    return CryptoSigner.generate_ed25519().private_bytes


def load_key(pem: bytes) -> CryptoSigner:
    """The signer of a private key in PKCS #8 PEM; InputError when it is none."""
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            "bad_key", "not an unencrypted PEM private key", "make one: tinyfleet trust init"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError("bad_key", "not an Ed25519 key", "make one: tinyfleet trust init")
    return CryptoSigner(private)


def make_root(root_key: Signer, targets_key: Key, expires: datetime) -> bytes:
    """Root metadata, version 1, in which ``targets_key`` may sign targets and ``root_key`` all else."""
    root = Root(
        version=1,
        expires=expires,
        roles={role: Role([], 1) for role in _ROLES},
        consistent_snapshot=False,
    )
    for role in _ROLES:
        root.add_key(targets_key if role == "targets" else root_key.public_key, role)
    return _sign(root, root_key)


def load_root(data: bytes) -> Root:
    """The root that a device or server was provisioned with; it must be signed by its own root keys."""
    metadata = _parse(data, Root, MAX_ROOT_BYTES)
    _check_keys(metadata.signed)
    _verify(metadata.signed, "root", metadata)
    return metadata.signed


def sign_manifest(manifest: bytes, key: Signer, expires: datetime) -> bytes:
    """The release signature that makes a manifest's bytes a bundle."""
    parsed = decode_manifest(manifest)
    target = TargetFile(len(manifest), {"sha256": digest_of(manifest)}, _image_path(parsed))
    return _sign(Targets(version=1, expires=expires, targets={target.path: target}), key)


def verify_manifest(root: Root, artifact: Artifact, digest: str, now: datetime) -> Manifest:
    """The manifest of the bundle ``digest``, when a release key of ``root`` vouches for its bytes.

    Raises TrustError (digest, signature, expiry) or WireError (malformed).
    """
    data = artifact.manifest.encode()
    if digest_of(data) != digest:
        raise TrustError(Reason.DIGEST_MISMATCH, "the manifest is not the one assigned", "publish it again")
    manifest = decode_manifest(data)
    targets = _targets(root, artifact.signature.encode(), MAX_SIGNATURE_BYTES, now)
    signed = targets.targets.get(_image_path(manifest))
    if signed is None or signed.length != len(data) or signed.hashes.get("sha256") != digest:
        raise TrustError(
            Reason.UNTRUSTED,
            "the signature is for another manifest",
            "sign this bundle: tinyfleet bundle sign",
        )
    return manifest


def sign_assignment(assignment: Assignment, manifest_bytes: int, key: Signer, expires: datetime) -> bytes:
    """Payload of topic ``d/{device}/desired``: director targets metadata for one device."""
    bundle = assignment.bundle
    custom = _Custom(
        device=assignment.device,
        attempt=assignment.attempt,
        model=bundle.model,
        version=bundle.version,
        policy=assignment.policy,
    )
    target = TargetFile(
        manifest_bytes,
        {"sha256": bundle.digest},
        _director_path(assignment.device),
        {"custom": msgspec.to_builtins(custom)},
    )
    targets = {target.path: target}
    return _sign(Targets(version=assignment.sequence, expires=expires, targets=targets), key)


def verify_assignment(root: Root, payload: bytes, device: str, now: datetime) -> Assignment:
    """The assignment in ``payload``, when the director signed it for this device and it has not expired.

    The caller compares ``sequence`` with what it has accepted before: an older one is a replay.
    """
    targets = _targets(root, payload, MAX_PAYLOAD_BYTES, now)
    target = targets.targets.get(_director_path(device))
    if target is None:
        raise TrustError(Reason.UNTRUSTED, "the assignment is for another device", "check the device id")
    try:
        custom = msgspec.convert(target.custom, _Custom)
        bundle = {"model": custom.model, "version": custom.version, "digest": target.hashes["sha256"]}
        # Signed is not yet well-formed: TUF sets no upper limit to a version, and takes true for 1.
        assignment = msgspec.convert(
            {
                "device": custom.device,
                "sequence": targets.version,
                "attempt": custom.attempt,
                "bundle": bundle,
                "policy": msgspec.to_builtins(custom.policy),
            },
            Assignment,
        )
    except (msgspec.ValidationError, KeyError) as error:
        raise WireError(
            "malformed", f"not an assignment: {str(error)[:200]}", "see docs/protocol.md"
        ) from error
    if assignment.device != device:
        raise TrustError(Reason.UNTRUSTED, "the assignment is for another device", "check the device id")
    return assignment


class Note(NamedTuple):
    """A text that the director vouches for."""

    version: int
    text: bytes


class _SignedNote(Message, frozen=True, kw_only=True):
    text: str
    signature: str


def sign_note(path: str, version: int, text: bytes, key: Signer, expires: datetime) -> bytes:
    """``text`` with targets metadata that names it at ``path``."""
    target = TargetFile(len(text), {"sha256": digest_of(text)}, path)
    signature = _sign(Targets(version=version, expires=expires, targets={path: target}), key)
    return msgspec.json.encode(_SignedNote(text=text.decode(), signature=signature.decode()))


def verify_note(root: Root, payload: bytes, path: str, now: datetime) -> Note:
    """What :func:`sign_note` signed for ``path``; TrustError or WireError."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError("oversize", f"a note of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}", "")
    try:
        note = msgspec.json.decode(payload, type=_SignedNote)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("malformed", "not a signed note", "see docs/protocol.md") from error
    text = note.text.encode()
    targets = _targets(root, note.signature.encode(), MAX_SIGNATURE_BYTES, now)
    signed = targets.targets.get(path)
    if signed is None or signed.length != len(text) or signed.hashes.get("sha256") != digest_of(text):
        raise TrustError(Reason.UNTRUSTED, "the signature is for another text", "sign it again")
    return Note(targets.version, text)


def _check_keys(root: Root) -> None:
    # Of the other kinds that TUF allows, OpenPGP's verifier raises whatever hostile fields lead it to.
    for key in root.keys.values():
        if not isinstance(key, SSlibKey) or key.keytype != "ed25519":
            raise TrustError(
                Reason.UNTRUSTED,
                f"the root names a key that is not Ed25519: {key.keyid[:64]!r}",
                "make a new root",
            )


def _image_path(manifest: Manifest) -> str:
    return f"{manifest.model}/{manifest.version}/{MANIFEST_FILE}"


def _director_path(device: str) -> str:
    return f"{device}/{MANIFEST_FILE}"


def _sign(signed: _S, key: Signer) -> bytes:
    metadata: Metadata[_S] = Metadata(signed)
    metadata.sign(key)
    return metadata.to_bytes(JSONSerializer(compact=True))


def _targets(root: Root, data: bytes, limit: int, now: datetime) -> Targets:
    metadata = _parse(data, Targets, limit)
    _verify(root, "targets", metadata)
    if metadata.signed.is_expired(now):
        raise TrustError(
            Reason.UNTRUSTED, f"the signature expired on {metadata.signed.expires:%Y-%m-%d}", "sign it again"
        )
    return metadata.signed


def _parse(data: bytes, kind: type[_S], limit: int) -> Metadata[_S]:
    if len(data) > limit:
        raise WireError("oversize", f"signed metadata of {len(data)} bytes is over {limit}", "")
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
    except (DeserializationError, RecursionError) as error:
        raise WireError("malformed", "not signed metadata", "see docs/protocol.md") from error
    if not isinstance(metadata.signed, kind):
        raise WireError("malformed", f"{metadata.signed.type} metadata where {kind.type} is expected", "")
    return metadata


def _verify(root: Root, role: str, metadata: Metadata[Any]) -> None:
    try:
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, SerializationError, ValueError) as error:
        raise TrustError(
            Reason.UNTRUSTED, f"not signed by a key of the {role} role", "sign it with the release key"
        ) from error
