"""Flash that refuses what no chip can do, forgets nothing, and costs little."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.flash import Flash
from firmware_sim.geometry import FlashError, Geometry
from firmware_sim.power import Cut, Power, PowerCut, random_cuts

CHIP = Geometry(((4, 64), (2, 256)), 8)
LAST = CHIP.flash_bytes - 8


def test_a_geometry_may_have_sectors_of_several_sizes() -> None:
    assert CHIP.flash_bytes == 768
    assert [CHIP.sector_at(a)[:3] for a in (0, 255, 256, 767)] == [
        (0, 0, 64), (3, 192, 64), (4, 256, 256), (5, 512, 256),
    ]  # fmt: skip
    assert [sector.start for sector in CHIP.sectors(128, 512)] == [128, 192, 256]


@pytest.mark.parametrize("erased", [0xFF, 0x00])
def test_what_was_programmed_is_read_and_the_rest_is_erased(erased: int) -> None:
    flash = Flash(CHIP._replace(erased=erased))
    flash.write(56, b"0123456789abc")
    blank = bytes([erased])
    assert flash.read(0, 80) == blank * 56 + b"0123456789abc" + blank * 11
    flash.erase(64)
    assert flash.read(56, 16) == b"01234567" + blank * 8
    assert flash.erases == {1: 1}
    assert flash.power.operations == 3


@pytest.mark.parametrize(
    ("code", "violate"),
    [
        ("not_erased", lambda flash: flash.program(0, b"12345678")),
        ("not_erased", lambda flash: flash.program(0, b"\xff" * 16)),
        ("misaligned", lambda flash: flash.program(12, b"12345678")),
        ("misaligned", lambda flash: flash.program(16, b"1234567")),
        ("misaligned", lambda flash: flash.program(16, b"")),
        ("misaligned", lambda flash: flash.erase(8)),
        ("out_of_bounds", lambda flash: flash.program(56, b"x" * 16)),
        ("out_of_bounds", lambda flash: flash.program(LAST + 8, b"12345678")),
        ("out_of_bounds", lambda flash: flash.erase(768)),
        ("out_of_bounds", lambda flash: flash.read(LAST, 9)),
    ],
)
def test_what_no_chip_can_do_is_an_error_and_changes_nothing(code: str, violate) -> None:
    flash = Flash(CHIP)
    flash.program(0, b"\xff" * 8)  # reads as erased, and is not
    with pytest.raises(FlashError) as refused:
        violate(flash)
    assert refused.value.code == code
    assert (flash.faults, flash.power.operations) == (1, 1)
    assert flash.read(0, CHIP.flash_bytes) == b"\xff" * CHIP.flash_bytes


def dark(flash: Flash, cut: Cut, operation: str, *arguments: object) -> None:
    flash.power = Power(lambda _number: cut)
    with pytest.raises(PowerCut):
        getattr(flash, operation)(*arguments)
    with pytest.raises(PowerCut):
        flash.erase(0)  # nothing happens in the dark
    flash.power_on(Power())


@pytest.mark.parametrize("cut", list(Cut))
def test_a_torn_program_leaves_whole_units_one_loose_unit_and_untouched_ones(cut: Cut) -> None:
    flash = Flash(CHIP, "s")
    data = b"a" * 8 + b"b" * 8 + b"c" * 8
    dark(flash, cut, "program", 0, data)
    done = {Cut.BEFORE: 0, Cut.EARLY: 0, Cut.MIDDLE: 1, Cut.LATE: 2}[cut]
    assert flash.read(0, 8 * done) == data[: 8 * done]
    if cut is Cut.BEFORE:
        flash.program(0, b"x" * 24)
        return
    after = data[8 * done : 8 * done + 8]
    assert (flash.read(8 * done, 8) == b"\xff" * 8) is (cut is Cut.EARLY)
    assert (flash.read(8 * done, 8) == after) is (cut is Cut.LATE)
    seen = set()
    for _ in range(20):
        flash.power_on(Power())
        seen.add(flash.read(8 * done, 8))
    assert seen > {b"\xff" * 8, after}, "as before, as after, and anything between"
    with pytest.raises(FlashError, match="over others"):
        flash.program(8 * done, b"x" * 8)
    if done < 2:
        flash.program(8 * done + 8, b"x" * 8)
    flash.erase(0)
    assert flash.read(0, 24) == b"\xff" * 24
    flash.program(0, b"x" * 24)


@pytest.mark.parametrize("cut", [Cut.EARLY, Cut.MIDDLE, Cut.LATE])
def test_a_torn_erase_leaves_a_sector_that_must_be_erased_again(cut: Cut) -> None:
    flash = Flash(CHIP, "s")
    flash.program(0, b"\0" * 64)
    dark(flash, cut, "erase", 0)
    first = flash.read(0, 64)
    assert (first == b"\0" * 64) is (cut is Cut.EARLY)
    assert (first == b"\xff" * 64) is (cut is Cut.LATE)
    seen = set()
    for _ in range(20):
        flash.power_on(Power())
        seen.add(flash.read(0, 64))
    assert seen > {b"\0" * 64, b"\xff" * 64}, "as before, as after, and anything between"
    with pytest.raises(FlashError, match="over others"):
        flash.program(32, b"x" * 8)
    flash.erase(0)
    flash.program(32, b"x" * 8)
    assert flash.erases == {0: 2}


operations = st.lists(
    st.tuples(st.booleans(), st.integers(0, LAST // 8), st.binary(min_size=1, max_size=40)), max_size=60
)


@given(operations, st.integers(0, 1000), st.sampled_from([0xFF, 0x00]))
def test_a_chip_is_what_its_changes_tell(story, seed: int, erased: int) -> None:
    """Whatever happens, with cuts: played again, and told shortest, it is the same chip."""
    flash, twin = (Flash(CHIP._replace(erased=erased), "s") for _ in range(2))
    flash.record = twin.apply
    rng = Random(seed)
    for erases, unit, data in story:
        try:
            if erases:
                flash.erase(CHIP.sector_at(unit * 8).start)
            else:
                flash.write(unit * 8, data)
        except FlashError:
            pass
        except PowerCut:
            flash.power_on(Power(random_cuts(0.2, rng)))
    third = Flash(flash.geometry, "s")
    for change in flash.changes():
        third.apply(change)
    everything = flash.read(0, CHIP.flash_bytes)
    for other in (twin, third):
        assert other.read(0, CHIP.flash_bytes) == everything
        assert (other.erases, other.power_ons) == (flash.erases, flash.power_ons)
        assert list(other.changes()) == list(flash.changes())


def test_chips_share_what_is_equal_and_pay_nothing_for_what_is_erased() -> None:
    geometry = Geometry(((512, 4096),), 8)
    payload = bytes(range(256)) * 256
    first = Flash(geometry)
    first.write(0, payload)
    tracemalloc.start()
    chips = [Flash(geometry) for _ in range(50)]
    for chip in chips:
        chip.write(0, bytes(payload))
    each = tracemalloc.get_traced_memory()[0] / len(chips)
    tracemalloc.stop()
    assert all(chip.read(0, len(payload)) == payload for chip in chips)
    assert each < 8 * 1024, f"{each:.0f} bytes for 64 KB of the same in 2 MB"
