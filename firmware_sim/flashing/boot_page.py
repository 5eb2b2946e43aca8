"""The first page of flash, for chips whose boot ROM wants more than a vector table there."""

from __future__ import annotations

from boards import Board


def boot_page(board: Board) -> bytes:
    """Empty for chips that start from the vector table itself."""
    return b""
