"""What an ELF file says: what to load where, where its symbols are, and how large its parts are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elftools.elf.elffile import ELFFile

_MAX_ELF_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Elf:
    """A linked firmware."""

    segments: tuple[tuple[int, bytes], ...]
    """Load address and content."""
    symbols: dict[str, int]
    """Addresses, without the Thumb bit."""
    sections: dict[str, tuple[int, int]]
    """Address and bytes of each section that takes memory."""

    @property
    def code_bytes(self) -> int:
        """Flash of the runtime itself: code, constants, first values of variables."""
        return sum(self.sections.get(name, (0, 0))[1] for name in (".vectors", ".text", ".data"))

    @property
    def variable_bytes(self) -> int:
        """RAM of the runtime itself, without stack and arena."""
        return sum(self.sections.get(name, (0, 0))[1] for name in (".data", ".bss"))


def read_elf(file: Path) -> Elf:
    """Of a file that our own linker wrote."""
    with file.open("rb") as stream:
        elf = ELFFile(io.BytesIO(stream.read(_MAX_ELF_BYTES)))
    table = elf.get_section_by_name(".symtab")
    return Elf(
        segments=tuple(
            (segment["p_paddr"], segment.data())
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        ),
        symbols={symbol.name: symbol["st_value"] & ~1 for symbol in table.iter_symbols() if symbol.name},
        sections={
            section.name: (section["sh_addr"], section["sh_size"])
            for section in elf.iter_sections()
            if section["sh_flags"] & 2
        },
    )
