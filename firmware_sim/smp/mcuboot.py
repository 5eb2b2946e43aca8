"""An image as MCUboot has it: header, content, and tags with its SHA-256 and signature.

MCUboot's documentation, "Design", section "Image format". imgtool writes it; this only reads.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from wire.errors import TrustError, WireError
from wire.states import Reason

MAGIC: Final = 0x96F3B83D
HEADER: Final = struct.Struct("<IIHHIIBBHI4x")
_TAGS: Final = struct.Struct("<HH")
_TAG: Final = struct.Struct("<HH")
_PROTECTED, _PLAIN = 0x6908, 0x6907
_SHA256, _ECDSA = 0x10, 0x22
_NON_BOOTABLE, _NOT_IN_PLACE = 0x10, 0x01 | 0x04 | 0x08 | 0x20
"""Flags; the latter: relocated, encrypted twice, loaded to RAM."""


class Wrapped(NamedTuple):
    """A sound image."""

    version: str
    sha256: bytes
    """Of header, content and protected tags: what clients know the image by."""
    content_at: int
    content_bytes: int
    total_bytes: int
    """With header and tags."""
    signature: bytes | None
    bootable: bool


def is_wrapped(data: bytes) -> bool:
    """Whether it begins as an image of MCUboot's."""
    return len(data) >= HEADER.size and HEADER.unpack_from(data)[0] == MAGIC


def read(data: bytes) -> Wrapped:
    """The image at the start of ``data``; WireError when its header, tags or hash are not sound."""
    if not is_wrapped(data):
        raise WireError("malformed", "no MCUboot image", "wrap it: imgtool sign")
    _, _, header_bytes, protected_bytes, content_bytes, flags, *version = HEADER.unpack_from(data)
    if header_bytes < HEADER.size or flags & _NOT_IN_PLACE:
        raise WireError("malformed", "the image cannot be executed in place", "see docs/flashing.md")
    hashed = header_bytes + content_bytes + protected_bytes
    if protected_bytes:
        _tags(data, header_bytes + content_bytes, _PROTECTED)
    end, tags = _tags(data, hashed, _PLAIN)
    digest = hashlib.sha256(data[:hashed]).digest()
    if tags.get(_SHA256) != digest:
        raise WireError("malformed", "the image is not what its SHA-256 says", "upload it again")
    return Wrapped(
        version=".".join(map(str, version if version[3] else version[:3])),
        sha256=digest,
        content_at=header_bytes,
        content_bytes=content_bytes,
        total_bytes=end,
        signature=tags.get(_ECDSA),
        bootable=not flags & _NON_BOOTABLE,
    )


def check_signature(image: Wrapped, key: ec.EllipticCurvePublicKey) -> None:
    """TrustError unless ``key`` (P-256, as ``imgtool sign --key``) signed the image's hash."""
    try:
        key.verify(image.signature or b"", image.sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature as error:
        raise TrustError(
            Reason.UNTRUSTED, f"image {image.version} is not signed by this board's key", "imgtool sign --key"
        ) from error


def _tags(data: bytes, at: int, magic: int) -> tuple[int, dict[int, bytes]]:
    """Where the area ends, and its tags; a second one of a kind is refused, as MCUboot does for hashes."""
    if len(data) < at + _TAGS.size:
        raise WireError("malformed", "the image is cut off", "upload it again")
    found_magic, total = _TAGS.unpack_from(data, at)
    end = at + total
    if found_magic != magic or total < _TAGS.size or end > len(data):
        raise WireError("malformed", "the image has no tags where its header says", "upload it again")
    tags: dict[int, bytes] = {}
    for kind, value in _each(data[at + _TAGS.size : end]):
        if kind in tags:
            raise WireError("malformed", f"the image has two tags 0x{kind:x}", "sign it again")
        tags[kind] = value
    return end, tags


def _each(area: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area):
        if len(area) < at + _TAG.size:
            raise WireError("malformed", "a tag of the image is cut off", "upload it again")
        kind, length = _TAG.unpack_from(area, at)
        at += _TAG.size
        if len(area) < at + length:
            raise WireError("malformed", "a tag of the image is cut off", "upload it again")
        yield kind, area[at : at + length]
        at += length
