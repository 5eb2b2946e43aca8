"""A board's drive: recognised by what its boot loader says, written through, never another board's."""

import os
from pathlib import Path

import pytest

import boards
from firmware_sim.flashing.drive import INFO_FILE, check_drive, copy
from wire.errors import NotFoundError, RefusedError, StoreError

PICO = boards.load("rpi-pico")
#: As the RP2040's boot ROM writes it (datasheet, 2.8.4.2), and the one of another board.
INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"
OTHER = "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n"


@pytest.fixture
def drive(tmp_path):
    (tmp_path / INFO_FILE).write_bytes(INFO.encode())
    return tmp_path


def test_a_boards_drive_is_recognised(drive):
    check_drive(drive, PICO)


def test_another_boards_drive_is_refused(drive):
    (drive / INFO_FILE).write_text(OTHER)
    with pytest.raises(RefusedError, match="is RP2350, rpi-pico is RPI-RP2"):
        check_drive(drive, PICO)
    check_drive(drive, boards.load("rpi-pico-2"))


@pytest.mark.parametrize("info", ["", "Model: x", "x" * 10_000 + INFO])
def test_a_drive_that_does_not_say_which_board_it_is_is_refused(drive, info):
    (drive / INFO_FILE).write_text(info)
    with pytest.raises(RefusedError, match="is unknown"):
        check_drive(drive, PICO)


def test_a_folder_that_is_no_boards_drive_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"has no INFO_UF2\.TXT"):
        check_drive(tmp_path, PICO)


def test_a_board_without_such_a_drive_is_refused(drive):
    with pytest.raises(RefusedError, match="use --tool pyocd"):
        check_drive(drive, boards.load("nano33ble"))


def test_a_file_arrives_whole_and_synced_and_tells_how_far_it_is(drive, monkeypatch):
    synced, told, data = [], [], bytes(range(256)) * 1000
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(len((drive / "a.uf2").read_bytes())))
    copy(data, drive, "a.uf2", told.append)
    assert (drive / "a.uf2").read_bytes() == data
    assert synced == told == [65536, 131072, 196608, len(data)]


def vanish(drive, at):
    def fsync(_):
        if len((drive / "a.uf2").read_bytes()) >= at:
            (drive / INFO_FILE).unlink()
            raise OSError(5, "Input/output error")

    return fsync


def test_a_board_that_restarts_after_its_last_byte_has_it_all(drive, monkeypatch):
    monkeypatch.setattr(os, "fsync", vanish(drive, 100_000))
    copy(bytes(100_000), drive, "a.uf2", lambda _: None)


def test_a_board_that_goes_before_its_last_byte_is_an_error(drive, monkeypatch):
    monkeypatch.setattr(os, "fsync", vanish(drive, 50_000))
    with pytest.raises(StoreError, match="Input/output error"):
        copy(bytes(100_000), drive, "a.uf2", lambda _: None)


def test_a_full_drive_is_an_error():
    with pytest.raises(StoreError, match="No space left"):
        copy(b"x", Path("/dev"), "full", lambda _: None)
