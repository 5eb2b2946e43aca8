"""Files for a board's flash, read back by other people's readers."""

import io
import subprocess
import sys
from pathlib import Path

import bincopy
import pytest
from adafruit_uf2 import uf2conv
from hypothesis import given
from hypothesis import strategies as st
from intelhex import IntelHex

import boards
from firmware_sim.flashing.content import Region
from firmware_sim.flashing.formats import encode, write
from firmware_sim.flashing.uf2 import BLOCK_BYTES, PAGE_BYTES, uf2
from tests.firmware_sim.flashing.contents import content, memory
from wire.errors import InputError, RefusedError, StoreError

BIN = Path(sys.executable).parent
PICO, NUCLEO = boards.load("rpi-pico"), boards.load("nucleo-l4r5zi")
FAMILIES = {"rpi-pico": "RP2040", "rpi-pico-2": "RP2350_ARM_S", "nano33ble": "NRF52840"}


@pytest.mark.parametrize("alone", [False, True])
def test_intelhex_and_bincopy_read_the_hex_back(alone):
    made = content("nucleo-l4r5zi", alone)
    text = encode(made, NUCLEO, ".hex").decode()
    assert {
        at: value for at, value in IntelHex(io.StringIO(text)).todict().items() if at != "start_addr"
    } == (memory(made))
    theirs = bincopy.BinFile()
    theirs.add_ihex(text)
    assert memory([Region(segment.address, bytes(segment.data)) for segment in theirs.segments]) == memory(
        made
    )


@pytest.mark.parametrize("board", FAMILIES)
def test_the_reference_tool_reads_the_uf2_back(board, tmp_path):
    made, file, back = content(board), tmp_path / "flash.uf2", tmp_path / "back.bin"
    write(file, made, boards.load(board))
    command = [sys.executable, "-m", "adafruit_uf2.uf2conv", "--convert", "--output", str(back), str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert f"Family ID is {FAMILIES[board]}, hex value is 0x{boards.load(board).uf2_family:08x}" in said
    assert f"Target Address is 0x{made[0].address:08x}" in said
    data, start = back.read_bytes(), made[0].address
    assert all(data[region.address - start :][: len(region.data)] == region.data for region in made)


def test_families_are_those_of_the_reference_list():
    families = uf2conv.load_families()
    for board, family in FAMILIES.items():
        assert families[family] == boards.load(board).uf2_family
    assert {name for name in boards.names() if boards.load(name).uf2_family} == set(FAMILIES)


def test_a_uf2_leaves_out_what_lies_between_code_and_model():
    made = content("rpi-pico")
    pages = {address // PAGE_BYTES for address in memory(made)}
    assert len(encode(made, PICO, ".uf2")) == BLOCK_BYTES * len(pages)


REGIONS = st.lists(
    st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=700)), min_size=1, max_size=4
)


@given(REGIONS)
def test_every_byte_is_in_its_block_and_the_rest_of_a_page_erased(drawn):
    regions, at = [], 0x10000000
    for gap, data in drawn:
        regions.append(Region(at + gap, data))
        at = regions[-1].end
    found = {}
    file = uf2(tuple(regions), 0xE48BFF56)
    for place in range(0, len(file), BLOCK_BYTES):
        block = file[place : place + BLOCK_BYTES]
        assert uf2conv.is_uf2(block)
        address, length, number, blocks = (
            int.from_bytes(block[i : i + 4], "little") for i in (12, 16, 20, 24)
        )
        assert (length, number, blocks) == (256, place // BLOCK_BYTES, len(file) // BLOCK_BYTES)
        assert address % 256 == 0
        found |= memory([Region(address, block[32 : 32 + length])])
    wanted = memory(regions)
    assert {at: found[at] for at in wanted} == wanted
    assert {value for at, value in found.items() if at not in wanted} <= {0xFF}


def test_a_bin_is_the_flash_from_its_first_byte_on():
    made = content("nano33ble")
    data = encode(made, boards.load("nano33ble"), ".bin")
    start, rest = made[0].address, bytearray(data)
    for region in made:
        assert data[region.address - start : region.end - start] == region.data
        rest[region.address - start : region.end - start] = b"\xff" * len(region.data)
    assert len(data) == made[-1].end - start
    assert not rest.strip(b"\xff")


def test_a_model_alone_is_the_image_at_its_slot():
    (region,) = content("rpi-pico", alone=True)
    assert region.address == 0x10000000 + 1024 * 1024
    assert encode((region,), PICO, ".bin") == region.data


@pytest.mark.parametrize("suffix", ["raw", "uf2", "hex"])
def test_esptool_merges_our_files_into_its_own(tmp_path, suffix):
    made = content("esp32-s3", alone=True)
    file, merged = tmp_path / "model.bin", tmp_path / f"merged.{suffix}"
    write(file, made, boards.load("esp32-s3"))
    command = [str(BIN / "esptool"), "--chip", "esp32s3", "merge-bin", "--format", suffix, "-o", str(merged)]
    subprocess.run([*command, hex(made[0].address), str(file)], check=True, capture_output=True, timeout=60)
    if suffix == "raw":
        data = merged.read_bytes()
    elif suffix == "hex":
        data = IntelHex(str(merged)).tobinstr(start=0)
    else:
        data = uf2conv.convert_from_uf2(merged.read_bytes())
    assert data[made[0].address if suffix != "uf2" else 0 :][: len(made[0].data)] == made[0].data


def test_esptool_reads_our_hex(tmp_path):
    made = content("esp32-s3", alone=True)
    file, merged = tmp_path / "model.hex", tmp_path / "merged.bin"
    write(file, made, boards.load("esp32-s3"))
    command = [str(BIN / "esptool"), "--chip", "esp32s3", "merge-bin", "-o", str(merged), "0x0", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert merged.read_bytes()[made[0].address :] == made[0].data


def test_what_cannot_be_written_is_said(tmp_path):
    made = content("nucleo-l4r5zi", alone=True)
    with pytest.raises(InputError, match=r"use \.bin, \.hex, \.uf2"):
        encode(made, NUCLEO, ".elf")
    with pytest.raises(RefusedError, match="no boot loader of nucleo-l4r5zi takes UF2"):
        encode(made, NUCLEO, ".uf2")
    with pytest.raises(StoreError, match="cannot write"):
        write(tmp_path / "none" / "file.bin", made, NUCLEO)
