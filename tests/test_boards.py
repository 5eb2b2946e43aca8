"""The catalogue is sound, its figures have sources, and its page is up to date."""

import subprocess
import sys
from pathlib import Path

import pytest

import boards
from boards.table import table
from wire.errors import NotFoundError, RefusedError
from wire.states import NumericsFamily

PAGE = Path(__file__).parents[1] / "docs" / "boards.md"
WANTED = (
    "ek-ra8d1 esp32-s3 grove-vision-ai-v2 linux-pc nano33ble nucleo-h7a3zi nucleo-l4r5zi nucleo-u575zi rpi-4 "
    "rpi-pico rpi-pico-2 rpi-zero-2w"
)


def test_boards_that_there_are():
    assert boards.names() == WANTED.split()
    with pytest.raises(NotFoundError, match="rpi-99"):
        boards.load("rpi-99")


@pytest.mark.parametrize("name", boards.names())
def test_figures_hold_together(name: str):
    board = boards.load(name)
    assert board.reserved_ram_bytes > 0
    assert "planning figure" in board.reserved
    assert board.source
    assert board.runtime_source
    assert board.reserved_flash_bytes >= (board.runtime_flash_bytes or 0)
    assert (board.npu is None) is (board.npu_clock_mhz is None) is (not board.npu_source)
    assert (board.runtime_flash_bytes is None) is (board.numerics is NumericsFamily.XNNPACK)


@pytest.mark.parametrize("name", boards.names())
def test_slots_and_journal_lie_on_sector_boundaries_where_there_is_no_linux(name: str):
    from firmware_sim.layout import layout_of
    from firmware_sim.partitions import partitions_of

    board = boards.load(name)
    if board.numerics is NumericsFamily.XNNPACK:
        assert (board.flash_sector_bytes, board.flash_write_bytes, board.flash_source) == (None, None, None)
        with pytest.raises(RefusedError, match="flash_sector_bytes"):
            partitions_of(board)
        return
    assert board.flash_source
    geometry, places = partitions_of(board)
    assert places.b.end == geometry.flash_bytes == board.flash_bytes
    for place in (*places.journal, places.a, places.b):
        assert (
            sum(sector.length for sector in geometry.sectors(*place._replace(length=place.end)))
            == place.length
        )
    assert places.journal[-1].end == places.a.start
    assert places.journal[0].start > (board.runtime_flash_bytes or 0)
    if board.flash_origin is not None:
        assert layout_of(board).slot_origin == board.flash_origin + places.a.start


def test_one_target_has_one_numerics_family():
    families: dict[str, set[str]] = {}
    for board in map(boards.load, boards.names()):
        families.setdefault(board.target, set()).add(board.numerics)
    assert all(len(each) == 1 for each in families.values())


def test_the_page_has_the_tables_that_the_modules_print():
    from converter import latency

    page = PAGE.read_text("utf-8")
    for command, printed in (
        ("boards.table", table()),
        ("converter.latency", latency.costs_table()),
        ("converter.latency", latency.errors_table()),
    ):
        assert f"python -m {command}" in page
        assert printed in page, f"docs/boards.md: paste what python -m {command} prints"


def test_the_module_prints_the_table():
    done = subprocess.run(
        [sys.executable, "-m", "boards.table"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == table() + "\n"
