"""The model image: what a microcontroller's runtime executes in place from flash; see docs/image.md.

``firmware_sim/firmware/image.h`` is the same contract in C.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from wire.errors import WireError

MAGIC: Final = 0x314D4654
FORMAT: Final = 1
HEADER_BYTES: Final = 64
ALIGNMENT: Final = 16
"""Of the image in flash, bytes."""
_HEADER: Final = struct.Struct("<13I12x")
_CRC_AT: Final = 12
assert _HEADER.size == HEADER_BYTES  # noqa: S101 - a constant of this file


class ImageHeader(NamedTuple):
    """The first words of an image; places are offsets in bytes."""

    magic: int
    format: int
    bytes: int
    crc32: int
    ops: int
    ops_at: int
    arena_bytes: int
    """Activations, scratch and kept state."""
    state_bytes: int
    """The arena's first bytes, kept from one inference to the next."""
    state_at: int
    """Their first values, in the image; 0 when all are zero."""
    input_at: int
    input_bytes: int
    output_at: int
    output_bytes: int


def seal(header: ImageHeader, body: bytes) -> bytes:
    """The image: its header with length and checksum filled in, and everything behind it."""
    length = HEADER_BYTES + len(body)
    bare = _HEADER.pack(*header._replace(magic=MAGIC, format=FORMAT, bytes=length, crc32=0)) + body
    return bare[:_CRC_AT] + struct.pack("<I", zlib.crc32(bare)) + bare[_CRC_AT + 4 :]


def read_header(image: bytes) -> ImageHeader:
    """The header of a sound image; WireError says what is wrong with one that is not."""
    if len(image) < HEADER_BYTES:
        raise WireError("malformed", f"{len(image)} bytes are no model image", "convert the model again")
    header = ImageHeader(*_HEADER.unpack_from(image))
    if header.magic != MAGIC or header.format != FORMAT:
        raise WireError("malformed", "not a model image of this format", "convert the model again")
    bare = image[:_CRC_AT] + bytes(4) + image[_CRC_AT + 4 :]
    if header.bytes != len(image) or header.crc32 != zlib.crc32(bare):
        raise WireError("malformed", "the model image is damaged", "get it again")
    return header
