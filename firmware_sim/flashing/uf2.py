"""UF2: blocks of 512 bytes, each of which says where its 256 bytes go, for boards that are a drive.

Microsoft's "USB Flashing Format (UF2)".
"""

from __future__ import annotations

import struct
from typing import Final

from firmware_sim.flashing.content import ERASED, Content

PAGE_BYTES: Final = 256
BLOCK_BYTES: Final = 512
_HEAD: Final = struct.Struct("<8I")
_MAGIC: Final = (0x0A324655, 0x9E5D5157)
_END: Final = struct.pack("<I", 0x0AB16F30)
_HAS_FAMILY: Final = 0x2000


def uf2(content: Content, family: int) -> bytes:
    """The file; pages that no region touches are left out, and so stay as they are on the board."""
    pages = _pages(content)
    return b"".join(
        _block(address, data, number, len(pages), family)
        for number, (address, data) in enumerate(sorted(pages.items()))
    )


def _pages(content: Content) -> dict[int, bytes]:
    pages: dict[int, bytes] = {}
    for region in content:
        for address in range(region.address - region.address % PAGE_BYTES, region.end, PAGE_BYTES):
            page = bytearray(pages.get(address, ERASED * PAGE_BYTES))
            start, stop = max(address, region.address), min(address + PAGE_BYTES, region.end)
            page[start - address : stop - address] = region.data[
                start - region.address : stop - region.address
            ]
            pages[address] = bytes(page)
    return pages


def _block(address: int, data: bytes, number: int, blocks: int, family: int) -> bytes:
    head = _HEAD.pack(*_MAGIC, _HAS_FAMILY, address, len(data), number, blocks, family)
    return (head + data).ljust(BLOCK_BYTES - len(_END), b"\0") + _END
