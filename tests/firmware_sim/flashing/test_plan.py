"""What is done for which words: exact commands, and refusals before anything is written."""

from pathlib import Path

import pytest

import boards
from firmware_sim.flashing.plan import Wanted, plan
from firmware_sim.layout import layout_of
from tests.firmware_sim.smp.wrapping import OLD, image
from wire.errors import InputError, RefusedError, WireError
from wire.image import HEADER_BYTES, read_header, seal

OUT = Path("my files/model.bin")


def planned(board, **wanted):
    return plan(boards.load(board), image(OLD), "kws", Wanted(**wanted))


@pytest.mark.parametrize(
    ("board", "wanted", "lines"),
    [
        ("rpi-pico", {"drive": Path("/media/RPI-RP2")}, ["cp kws-rpi-pico.uf2 /media/RPI-RP2"]),
        (
            "nano33ble",
            {"tool": "pyocd"},
            ["pyocd flash --no-wait --target nrf52840 kws-nano33ble.hex"],
        ),
        (
            "rpi-pico",
            {"tool": "pyocd", "port": "E6614"},
            ["pyocd flash --no-wait --target rp2040 --uid E6614 kws-rpi-pico.hex"],
        ),
        (
            "esp32-s3",
            {"tool": "esptool", "port": "/dev/ttyUSB0"},
            ["esptool --chip esp32s3 --port /dev/ttyUSB0 write-flash 0x600000 kws-esp32-s3.bin"],
        ),
        (
            "nucleo-u575zi",
            {"tool": "smpmgr", "port": "127.0.0.1", "out": OUT, "key": Path("k.pem"), "version": "3.1.4"},
            [
                "imgtool sign --header-size 32 --pad-header --slot-size 524288 --align 8 --version 3.1.4 "
                "--key k.pem 'my files/model.bin' 'my files/model.signed.bin'",
                "smpmgr --ip 127.0.0.1 image upload 'my files/model.signed.bin'",
            ],
        ),
        (
            "nucleo-u575zi",
            {"tool": "smpmgr", "port": "/dev/ttyACM0"},
            [
                "imgtool sign --header-size 32 --pad-header --slot-size 524288 --align 8 --version 1.0.0 "
                "kws-nucleo-u575zi.bin kws-nucleo-u575zi.signed.bin",
                "smpmgr --port /dev/ttyACM0 image upload kws-nucleo-u575zi.signed.bin",
            ],
        ),
        ("rpi-pico", {"out": OUT}, []),
    ],
)
def test_commands_to_the_letter(board, wanted, lines):
    assert planned(board, **wanted).lines == lines


@pytest.mark.parametrize(
    ("board", "wanted", "family", "says"),
    [
        ("rpi-pico", {}, InputError, "--out, --to or --tool is needed"),
        ("rpi-pico", {"drive": OUT, "tool": "pyocd"}, InputError, "exclude each other"),
        ("rpi-pico", {"tool": "openocd"}, InputError, "use pyocd, esptool, smpmgr"),
        ("rpi-pico", {"tool": "pyocd", "out": OUT}, InputError, r"pyocd gets a \.hex"),
        ("rpi-pico", {"drive": Path("/media"), "out": OUT}, InputError, r"a drive gets a \.uf2"),
        ("rpi-pico", {"tool": "smpmgr"}, InputError, "smpmgr needs --port"),
        ("rpi-pico", {"out": OUT, "version": "one"}, InputError, "MAJOR.MINOR.REVISION"),
        ("rpi-pico", {"tool": "esptool"}, RefusedError, "no chip of Espressif's"),
        ("esp32-s3", {"tool": "pyocd", "model_only": True}, RefusedError, "pyOCD has no target"),
        ("esp32-s3", {"out": OUT}, RefusedError, "no runtime for xtensa-lx7"),
        ("rpi-4", {"out": OUT, "model_only": True}, RefusedError, "runs Linux: nothing is flashed"),
        ("ek-ra8d1", {"out": OUT}, RefusedError, "no runtime for cortex-m85"),
    ],
)
def test_what_cannot_be_done_is_refused(board, wanted, family, says):
    with pytest.raises(family, match=says):
        planned(board, **wanted)


def test_esptool_and_smpmgr_leave_the_users_firmware_alone():
    for board, tool, port in (("esp32-s3", "esptool", None), ("rpi-pico", "smpmgr", "127.0.0.1")):
        (region,) = planned(board, tool=tool, port=port).content
        assert region.data == image(OLD)


@pytest.mark.parametrize("alone", [False, True])
def test_a_model_that_does_not_fit_is_refused(alone):
    board = boards.load("rpi-pico")
    header = read_header(image(OLD))
    body = image(OLD)[HEADER_BYTES:]
    greedy = seal(header._replace(arena_bytes=layout_of(board).model_ram_bytes + 4), body)
    large = seal(header, body.ljust(board.slot_bytes, b"\0"))
    for data, says in ((greedy, "needs 139,268 bytes of RAM"), (large, "a slot of rpi-pico 524,288")):
        with pytest.raises(RefusedError, match=says):
            plan(board, data, "x", Wanted(out=OUT, model_only=alone))


def test_a_damaged_image_is_refused():
    damaged = image(OLD)[:-1] + b"\x55"
    with pytest.raises(WireError, match="damaged"):
        plan(boards.load("rpi-pico"), damaged, "x", Wanted(out=OUT))
