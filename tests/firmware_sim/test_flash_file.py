"""A device's flash in a file: killed at any byte, the device is found as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.flash_file import FlashFile
from firmware_sim.geometry import Geometry
from firmware_sim.power import Cut, Power, PowerCut
from wire.errors import StoreError

CHIP = Geometry(((8, 64),), 8)


def opened(tmp_path: Path) -> FlashFile:
    return FlashFile(tmp_path / "d.flash", CHIP, "d")


def test_a_flash_is_found_as_it_was_torn_sectors_and_wear_included(tmp_path: Path) -> None:
    chip = opened(tmp_path)
    assert chip.is_new
    flash = chip.flash
    flash.write(0, b"a" * 100)
    flash.erase(64)
    flash.power_on(Power(lambda number: Cut.MIDDLE if number == 2 else None))
    flash.program(192, b"b" * 8)
    with pytest.raises(PowerCut):
        flash.erase(0)
    again = opened(tmp_path)
    assert not again.is_new
    assert list(again.flash.changes()) == list(flash.changes())
    again.flash.power_on(Power())
    assert list(opened(tmp_path).flash.changes()) == list(again.flash.changes())
    flash.power_on(Power())
    assert again.flash.read(0, 512) == flash.read(0, 512)


def test_a_file_cut_anywhere_is_the_flash_as_of_its_last_whole_change(tmp_path: Path) -> None:
    file = tmp_path / "d.flash"
    flash = opened(tmp_path).flash
    sizes, reads = [file.stat().st_size], [flash.read(0, 512)]
    for address in (0, 8, 64, 16):
        flash.program(address, bytes([address + 1]) * 8)
        sizes.append(file.stat().st_size)
        reads.append(flash.read(0, 512))
    whole = file.read_bytes()
    for length in range(sizes[0], len(whole) + 1):
        file.write_bytes(whole[:length])
        done = max(index for index, size in enumerate(sizes) if size <= length)
        assert opened(tmp_path).flash.read(0, 512) == reads[done]


def test_a_file_is_written_anew_when_it_is_opened(tmp_path: Path) -> None:
    flash = opened(tmp_path).flash
    for _ in range(200):
        flash.program(0, b"x" * 64)
        flash.erase(0)
    long = (tmp_path / "d.flash").stat().st_size
    assert opened(tmp_path).flash.erases == {0: 200}
    assert (tmp_path / "d.flash").stat().st_size < long / 50


def test_another_chips_file_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(StoreError, match="another chip"):
        FlashFile(tmp_path / "d.flash", CHIP._replace(write_bytes=16), "d")
    (tmp_path / "d.flash").write_bytes(b"\x03\0\0\0abc")
    with pytest.raises(StoreError, match="damaged"):
        opened(tmp_path)
