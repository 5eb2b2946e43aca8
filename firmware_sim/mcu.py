"""One simulated microcontroller: its flash outlives every boot, everything else is new at each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from device_agent.device import Device, Parts
from firmware_sim.flash_file import FlashFile
from firmware_sim.flash_store import FlashStore, provision
from firmware_sim.partitions import Partitions
from firmware_sim.power import Plan, Power, PowerCut
from firmware_sim.ram_outbox import RamOutbox
from wire.errors import StoreError

#: Telemetry that may wait in RAM: a microcontroller has no more for it.
_OUTBOX_ENTRIES: Final = 64
_OUTBOX_BYTES: Final = 64 * 1024
#: How long the power stays away.
_DARK_S: Final = (0.2, 1.0)

log = logging.getLogger("tinyfleet.device")

Assemble = Callable[[FlashStore, RamOutbox], Parts]
"""A device's parts around its storage, new at each boot."""


class Supply(NamedTuple):
    """When the power of one device goes, and for how long."""

    plan: Plan
    rng: Random


class Mcu:
    """Boots a device on its flash, and boots it again after each power cut."""

    def __init__(
        self, name: str, chip: FlashFile, places: Partitions, supply: Supply, assemble: Assemble
    ) -> None:
        """A chip without a history is provisioned first: the factory has good power."""
        self.name = name
        self.flash = chip.flash
        self.cuts = 0
        """Power cuts since the simulation began."""
        self._places = places
        self._supply = supply
        self._assemble = assemble
        self._device: Device | None = None
        self._dark = asyncio.Event()
        if chip.is_new:
            provision(chip.flash, places)

    async def run(self) -> None:
        """Until cancelled, which lets the device say goodbye; raises what breaks it."""
        while True:
            self._device = None
            self._dark.clear()
            self.flash.power_on(Power(self._supply.plan, self._on_cut))
            try:
                await self._run_boot()
            except (PowerCut, BaseExceptionGroup):
                if not self._dark.is_set():
                    raise
            log.info("%s: power cut at flash operation %d", self.name, self.flash.power.operations)
            await asyncio.sleep(self._supply.rng.uniform(*_DARK_S))

    async def _run_boot(self) -> None:
        """Return, or raise the PowerCut, when the power has gone."""
        store = FlashStore(self.flash, self._places)
        self._device = Device(self._assemble(store, RamOutbox(_OUTBOX_ENTRIES, _OUTBOX_BYTES)))
        work = asyncio.create_task(self._device.run())
        dark = asyncio.create_task(self._dark.wait())
        try:
            await asyncio.wait((work, dark), return_when=asyncio.FIRST_COMPLETED)
        finally:
            dark.cancel()
            work.cancel()
            await asyncio.wait((work,))
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error

    def _on_cut(self) -> None:
        self.cuts += 1
        self._dark.set()
        if self._device is not None:
            self._device.lose_power()


def told_wear(mcus: list[Mcu]) -> str:
    """One line on power cuts and erases of a fleet; StoreError when a device misused its flash."""
    worn = max(mcus, key=lambda mcu: max(mcu.flash.erases.values(), default=0))
    most = max(worn.flash.erases.values(), default=0)
    erases = sum(sum(mcu.flash.erases.values()) for mcu in mcus)
    faulty = [mcu.name for mcu in mcus if mcu.flash.faults]
    if faulty:
        raise StoreError("flash_misused", f"illegal flash operations of {', '.join(faulty[:5])}", "a bug")
    return (
        f"{sum(mcu.cuts for mcu in mcus)} power cuts; {erases} sector erases in all, "
        f"at most {most} of one sector ({worn.name})"
    )
