"""The board catalogue: one TOML file a board, every figure with its source."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import msgspec

from wire.errors import NotFoundError
from wire.sketch import Count
from wire.states import NumericsFamily


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A concrete device type."""

    name: str
    title: str
    target: str
    core: str
    clock_mhz: float
    ram_bytes: Count
    flash_bytes: Count
    model_ram_bytes: Count
    """RAM left for a model after the firmware's own: a planning figure, see ``reserved``."""
    slot_bytes: Count
    """Flash of one of the two model slots."""
    numerics: NumericsFamily
    reserved: str
    """What the difference between the chip's memory and the model's is for."""
    source: str
    """Of the chip's and the board's figures."""
    runtime_flash_bytes: Count | None = None
    """Code of the interpreter and its kernels, part of the reserve; None where it is not the firmware's."""
    runtime_source: str
    """Where that figure is from; ``planning`` in it means that nothing was measured."""
    npu: str | None = None
    """An accelerator beside the core, by vela's name for it, such as ``ethos-u55-64``."""
    npu_clock_mhz: float | None = None
    npu_source: str = ""
    """Of those two."""
    active_ua_per_mhz: float | None = None
    """Current of the chip while its core computes, at ``clock_mhz``; None where no source says it."""
    supply_v: float | None = None
    """At which that was measured."""
    power_source: str = ""
    """Of those two, and under which conditions."""

    flash_origin: int | None = None
    """Address of the flash with code and models; None for Linux and cores that are not emulated."""
    ram_origin: int | None = None
    """Address of the RAM."""
    flash_sector_bytes: Count | None = None
    """What one erase of the flash with the slots clears; None for Linux."""
    flash_write_bytes: Count | None = None
    """Unit in which it is programmed, once after an erase."""
    flash_source: str | None = None
    """Of these two figures."""

    uf2_family: int | None = None
    """Family of its chip in Microsoft's list of UF2 families; None where no boot loader takes UF2."""
    uf2_board: str | None = None
    """Board-ID in the INFO_UF2.TXT of the drive that its stock boot loader shows; None without one."""
    pyocd_target: str | None = None
    """What pyOCD calls its chip: ``pyocd list --targets``, or a part number of a CMSIS pack."""
    esptool_chip: str | None = None
    """What esptool calls its chip."""

    @property
    def active_uw(self) -> float | None:
        """Power of the chip while its core computes, microwatts."""
        if self.active_ua_per_mhz is None or self.supply_v is None:
            return None
        return self.active_ua_per_mhz * self.clock_mhz * self.supply_v

    @property
    def reserved_ram_bytes(self) -> int:
        """What models may not use."""
        return self.ram_bytes - self.model_ram_bytes

    @property
    def reserved_flash_bytes(self) -> int:
        """What is not slots: firmware with the runtime, boot loader, stacks, settings."""
        return self.flash_bytes - 2 * self.slot_bytes


def names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


def load(name: str) -> Board:
    """The board ``name``; NotFoundError lists those that there are."""
    if name not in names():
        raise NotFoundError(
            "unknown_board", f"there is no board {name!r}", f"use one of: {', '.join(names())}"
        )
    data = tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text("utf-8"))
    return msgspec.convert({"name": name, **data}, Board)
