"""Where firmware, model slots, stack and arena lie on a board."""

from __future__ import annotations

from typing import Final, NamedTuple

from boards import Board
from wire.errors import RefusedError

STACK_BYTES: Final = 2048
_OWN_RAM_BYTES: Final = 64 * 1024
"""Stack and variables of the firmware; the rest of a board's reserve is for what it has besides."""


class Layout(NamedTuple):
    """Addresses and lengths in bytes; names as in firmware.ld."""

    flash_origin: int
    flash_bytes: int
    code_bytes: int
    slot_origin: int
    """Of the first of two slots, which are the last of the flash."""
    slot_bytes: int
    ram_origin: int
    own_ram_bytes: int
    arena_origin: int
    model_ram_bytes: int
    stack_bytes: int = STACK_BYTES

    @property
    def ram_bytes(self) -> int:
        """From the stack's bottom to the end of the arena."""
        return self.own_ram_bytes + self.model_ram_bytes

    def symbols(self) -> dict[str, int]:
        """For the linker script."""
        return {name.upper(): value for name, value in self._asdict().items()}


def layout_of(board: Board) -> Layout:
    """RefusedError for a board whose addresses are not in the catalogue."""
    if board.flash_origin is None or board.ram_origin is None:
        raise RefusedError(
            "no_addresses", f"boards/{board.name}.toml has no flash_origin and ram_origin", "add them"
        )
    code_bytes = board.flash_bytes - 2 * board.slot_bytes
    own_ram_bytes = min(_OWN_RAM_BYTES, board.reserved_ram_bytes)
    return Layout(
        flash_origin=board.flash_origin,
        flash_bytes=board.flash_bytes,
        code_bytes=code_bytes,
        slot_origin=board.flash_origin + code_bytes,
        slot_bytes=board.slot_bytes,
        ram_origin=board.ram_origin,
        own_ram_bytes=own_ram_bytes,
        arena_origin=board.ram_origin + own_ram_bytes,
        model_ram_bytes=board.model_ram_bytes,
    )
