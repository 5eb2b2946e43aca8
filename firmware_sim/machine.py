"""One emulated microcontroller: flash, RAM, core, and the firmware's mailbox.

Nothing but flash and RAM is mapped: a stray access, a write to flash or an instruction that the core
lacks ends as a HardFault with its address, as does a stack that grows out of the bottom of RAM. There are
no interrupts, caches or wait states.
"""

from __future__ import annotations

import struct
from typing import Final

import unicorn
from unicorn import arm_const

from firmware_sim.cores import Core
from firmware_sim.elf import Elf
from firmware_sim.layout import Layout
from wire.errors import RefusedError

_PAGE: Final = 4096
_PAINT: Final = b"\xa5"
_LETTER: Final = struct.Struct("<IiII")
"""``letter`` of firmware/mailbox.h: command, status, image, slot_bytes."""
_BIND, _INVOKE, _RESET = 1, 2, 3
_PENDING: Final = -1000
_STATUS: Final = {
    1: "there is no image", 2: "the image is of another format", 3: "the image is damaged",
    4: "the image has an operator that this firmware lacks", 5: "the image needs more room",
}  # fmt: skip


class HardFaultError(RefusedError):
    """The core stopped; ``address`` is what it touched or executed, ``pc`` where."""

    def __init__(self, what: str, address: int, pc: int) -> None:
        super().__init__(
            "hard_fault", f"HardFault: {what} at 0x{address:08x}, pc 0x{pc:08x}", "see the map file"
        )
        self.address = address
        self.pc = pc


class Machine:
    """A core that has booted and waits for the host."""

    def __init__(self, core: Core, layout: Layout, elf: Elf) -> None:
        self.layout = layout
        self.elf = elf
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self.engine.ctl_set_cpu_model(core.emulator_model)
        read_execute = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self.engine.mem_map(layout.flash_origin, _pages(layout.flash_bytes), read_execute)
        read_write = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
        self.engine.mem_map(layout.ram_origin, _pages(layout.ram_bytes), read_write)
        for address, content in elf.segments:
            self.engine.mem_write(address, content)
        self.engine.mem_write(layout.ram_origin, _PAINT * layout.stack_bytes)
        self._touched: tuple[str, int] | None = None
        self.engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._note)
        stack, reset = struct.unpack("<II", self.engine.mem_read(layout.flash_origin, 8))
        self.engine.reg_write(arm_const.UC_ARM_REG_SP, stack)
        self._run(reset)

    def bind(self, slot: int, slot_bytes: int) -> None:
        """Have the firmware check the image at ``slot``; RefusedError with its verdict."""
        self._command(_BIND, slot, slot_bytes)

    def invoke(self) -> None:
        """One inference; HardFaultError when the core stops."""
        self._command(_INVOKE, 0, 0)

    def reset_state(self) -> None:
        """Have a stateful model forget what it has seen: a new stream begins."""
        self._command(_RESET, 0, 0)

    def write(self, address: int, data: bytes) -> None:
        """What a driver or DMA would leave in memory."""
        self.engine.mem_write(address, data)

    def read(self, address: int, length: int) -> bytes:
        """Memory."""
        return bytes(self.engine.mem_read(address, length))

    def stack_used(self) -> int:
        """Bytes of the stack that were ever written since it was painted."""
        stack = self.read(self.layout.ram_origin, self.layout.stack_bytes)
        return len(stack.lstrip(_PAINT))

    def _command(self, command: int, image: int, slot_bytes: int) -> None:
        mailbox = self.elf.symbols["mailbox"]
        self.write(mailbox, _LETTER.pack(command, _PENDING, image, slot_bytes))
        self._run(self.engine.reg_read(arm_const.UC_ARM_REG_LR))
        status = _LETTER.unpack(self.read(mailbox, _LETTER.size))[1]
        if status:
            raise RefusedError(
                "firmware", f"the firmware says: {_STATUS.get(status, status)}", "see docs/image.md"
            )

    def _run(self, address: int) -> None:
        """From an address until the firmware waits again."""
        self._touched = None
        end = self.elf.symbols["wait_for_host"]
        try:
            self.engine.emu_start(address | 1, end, count=0)
        except unicorn.UcError as error:
            raise self._fault(error) from error

    def _note(
        self, _engine: object, access: int, address: int, _size: int, _value: int, _user: object
    ) -> bool:
        kinds = {
            unicorn.UC_MEM_WRITE_PROT: "write to flash",
            unicorn.UC_MEM_WRITE_UNMAPPED: "stray write",
            unicorn.UC_MEM_READ_UNMAPPED: "stray read",
            unicorn.UC_MEM_FETCH_UNMAPPED: "stray jump",
            unicorn.UC_MEM_FETCH_PROT: "jump into data",
        }
        self._touched = (kinds.get(access, "bad access"), address)
        return False

    def _fault(self, error: unicorn.UcError) -> HardFaultError:
        pc = self.engine.reg_read(arm_const.UC_ARM_REG_PC)
        what, address = self._touched or ("undefined instruction", pc)
        if error.errno == unicorn.UC_ERR_INSN_INVALID:
            what, address = "undefined instruction", pc
        return HardFaultError(what, address, pc)


def _pages(length: int) -> int:
    return -(-length // _PAGE) * _PAGE
