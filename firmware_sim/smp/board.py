"""A simulated board with a boot loader: the image of the slot that boots answers on the emulated core."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

import wire.image
from boards import Board
from firmware_sim.cores import core_of
from firmware_sim.elf import Elf, read_elf
from firmware_sim.flash import Flash
from firmware_sim.flashing.firmware import board_firmware
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.smp import mcuboot
from firmware_sim.smp.boot import BootRecord, boot
from firmware_sim.smp.slots import Slots
from firmware_sim.smp.upload import Upload
from wire.errors import FleetError, RefusedError
from wire.image import ALIGNMENT, ImageHeader

_ATTEMPTS: Final = 2
"""A trial that does not come up is reset once more, by the watchdog as it were, and goes back."""


class Slotted(NamedTuple):
    """A sound image in a slot."""

    version: str
    sha256: bytes
    content_at: int
    header: ImageHeader


class SimulatedBoard:
    """Powered on when constructed; ``image`` is the model it was flashed with."""

    def __init__(
        self,
        board: Board,
        image: bytes,
        key: ec.EllipticCurvePublicKey | None = None,
        flash: Flash | None = None,
    ) -> None:
        """``flash`` is a chip that was used before; without it, it is new and has ``image`` in slot 0."""
        self.board = board
        self._core = core_of(board.target)
        self._layout = layout_of(board)
        self._key = key
        self._elf = _linked(board, image)
        self.slots = Slots(board, flash)
        self._flashed = image
        if flash is None:
            self.slots.program(0, 0, image)
        self.boots = 0
        self.fault: FleetError | None = None
        self._machine: Machine | None = None
        self.reset()

    @property
    def record(self) -> BootRecord:
        """Which slot answers, and whether on trial."""
        return self.slots.record

    def image(self, slot: int) -> Slotted:
        """WireError or TrustError for a slot from which nothing may boot."""
        if slot == self.record.other and not self.record.whole:
            raise RefusedError("no_image", f"slot {slot} has no whole image", "upload one")
        data = self.slots.read(slot)
        if data.startswith(self._flashed):
            # Put there by a probe: whoever can do that can replace the boot loader as well.
            return Slotted(
                "0.0.0", hashlib.sha256(self._flashed).digest(), 0, wire.image.read_header(self._flashed)
            )
        wrapped = mcuboot.read(data)
        if self._key is not None:
            mcuboot.check_signature(wrapped, self._key)
        content = data[wrapped.content_at : wrapped.content_at + wrapped.content_bytes]
        header = wire.image.read_header(content)
        if wrapped.content_at % ALIGNMENT or not wrapped.bootable:
            raise RefusedError(
                "not_bootable", "the image cannot be executed where it lies", "imgtool sign -H 32"
            )
        return Slotted(wrapped.version, wrapped.sha256, wrapped.content_at, header)

    def begin_upload(self, length: int, sha256: bytes | None) -> Upload:
        """Into the slot that does not answer, which from now on is not whole."""
        self.slots.record = self.record._replace(whole=False)
        return Upload(self.slots, self.record.other, length, sha256)

    def end_upload(self, upload: Upload) -> None:
        """All of it is programmed."""
        if upload.matches is not False:
            self.slots.record = self.record._replace(whole=True)

    def erase(self) -> None:
        """The slot that does not answer."""
        self.slots.record = self.record._replace(whole=False)
        self.slots.erase(self.record.other)

    def reset(self) -> None:
        """Boot; afterwards ``fault`` says why nothing answers, if nothing does."""
        for _ in range(_ATTEMPTS):
            self.boots += 1
            self.slots.boot()
            self.slots.record = boot(self.record, (self._sound(0), self._sound(1)))
            self._machine = self._start()
            if self._machine is not None or self.record.confirmed:
                return

    def infer(self, data: bytes) -> bytes:
        """One inference: the output tensor's bytes. RefusedError when nothing answers or the core faults."""
        if self._machine is None:
            raise self.fault or RefusedError("no_image", "no image answers", "upload one")
        header = self.image(self.record.active).header
        if len(data) != header.input_bytes:
            raise RefusedError(
                "wrong_input", f"{len(data)} bytes; the input is {header.input_bytes}", "check the model"
            )
        arena = self._layout.arena_origin
        self._machine.write(arena + header.input_at, data)
        self._machine.invoke()
        return self._machine.read(arena + header.output_at, header.output_bytes)

    def _sound(self, slot: int) -> bool:
        try:
            self.image(slot)
        except FleetError:
            return False
        return True

    def _start(self) -> Machine | None:
        """The core, reset, with the active slot's image bound."""
        try:
            image = self.image(self.record.active)
            machine = Machine(self._core, self._layout, self._elf)
            origin, length = self._layout.slot_origin, self._layout.slot_bytes
            for slot in range(2):
                machine.write(origin + slot * length, self.slots.read(slot))
            at = origin + self.record.active * length + image.content_at
            machine.bind(at, length - image.content_at)
        except FleetError as fault:
            self.fault = fault
            return None
        self.fault = None
        return machine


@lru_cache(maxsize=4)
def _linked(board: Board, image: bytes) -> Elf:
    """Boards of a kind have the same."""
    return read_elf(board_firmware(board, image))
