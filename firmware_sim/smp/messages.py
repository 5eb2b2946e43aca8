"""Bodies of the requests that a board answers, with their limits.

Zephyr's documentation, "SMP Group 0 - OS Management" and "SMP Group 1 - Application/software image
management". The client package ``smp`` has the same messages; tests hold the two together.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

OS_GROUP: Final = 0
IMAGE_GROUP: Final = 1
MODEL_GROUP: Final = 84
"""Ours, among those that a product may define (64 and above): one inference."""

Offset = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Error(IntEnum):
    """Of any group: ``mcumgr_err_t``."""

    INVALID = 3
    NOT_SUPPORTED = 8


class ImageError(IntEnum):
    """Of the image group: ``img_mgmt_err_code_t``."""

    HASH_NOT_FOUND = 8
    NO_FREE_SLOT = 9
    INVALID_SLOT = 14
    INVALID_LENGTH = 21
    INVALID_IMAGE_HEADER_MAGIC = 23
    IMAGE_ALREADY_PENDING = 28
    IMAGE_TOO_LARGE = 30
    IMAGE_DATA_OVERRUN = 31
    TEST_TO_ACTIVE_DENIED = 33


class Echo(msgspec.Struct, frozen=True):
    """Write 0:0."""

    d: Annotated[str, msgspec.Meta(max_length=2048)]


class Info(msgspec.Struct, frozen=True):
    """Read 0:7."""

    format: Annotated[str, msgspec.Meta(max_length=16)] = "s"


class StateWrite(msgspec.Struct, frozen=True):
    """Write 1:0: an image is to be tested after the next reset, or confirmed."""

    hash: Sha256 | None = None
    confirm: bool = False


class Upload(msgspec.Struct, frozen=True):
    """Write 1:1: a piece of an image; the first has its length and, to go on later, its SHA-256."""

    off: Offset
    data: bytes
    image: Offset = 0
    len: Offset | None = None
    sha: Sha256 | None = None


class Erase(msgspec.Struct, frozen=True):
    """Write 1:5; without a slot the one that does not answer."""

    slot: Offset | None = None


class Infer(msgspec.Struct, frozen=True):
    """Write 84:0: the input tensor's bytes."""

    input: bytes
