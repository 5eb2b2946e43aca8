"""The power is cut at every flash operation of a device's life, and inside it; then it boots again.

The model is MCUboot's simulator: count the operations without a cut, then cut at each. ``make soak``
enumerates all cases of all chips, and lets each device live on to the end of the life.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from firmware_sim.geometry import Geometry
from firmware_sim.journal import Bank
from firmware_sim.partitions import Partitions
from firmware_sim.power import Cut, Power
from tests.device_agent.small_bundle import Keys
from tests.firmware_sim.flash_life import Life, Sweep

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
#: The four equal sectors at its start for the journal, and slots of two larger ones each.
STM32F4 = Geometry(((4, 16384), (1, 65536), (8, 131072)), 4)
STM32F4_PLACES = Partitions(
    tuple(Bank(index * 16384, 16384) for index in range(4)),
    a=Bank(65536, 65536 + 131072),
    b=Bank(262144, 2 * 131072),
)
#: Name, geometry, and of how many cases one is tried in CI.
CHIPS = (
    ("nRF52840", Geometry(((64, 4096),), 4), 1),
    ("STM32L4", Geometry(((64, 4096),), 8), 1),
    ("STM32U5", Geometry(((64, 8192),), 16), 1),
    ("RP2040 with W25Q16", Geometry(((64, 4096),), 256), 1),
    ("STM32F4, sectors of three sizes", STM32F4, 5),
    ("STM32L1, erased to 0x00", Geometry(((512, 256),), 4, 0x00), 11),
    ("nRF52840, erased to 0x00", Geometry(((64, 4096),), 4, 0x00), 3),
    ("STM32L4, erased to 0x00", Geometry(((64, 4096),), 8, 0x00), 5),
    ("STM32U5, erased to 0x00", Geometry(((64, 8192),), 16, 0x00), 5),
    ("RP2040, erased to 0x00", Geometry(((64, 4096),), 256, 0x00), 5),
)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(Keys(tmp_path_factory.mktemp("life") / "trust"))


@pytest.mark.soak
@pytest.mark.timeout(3600 if SOAK else 240)
@pytest.mark.parametrize(("name", "geometry", "stride"), CHIPS, ids=[name for name, *_ in CHIPS])
def test_power_cut_at_and_inside_every_flash_operation(
    life: Life, name: str, geometry: Geometry, stride: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_of(life, geometry)
    stride = 1 if SOAK else stride
    tried = 0
    for case in sweep.cases(stride):
        try:
            sweep.recover(case, rest=SOAK)
        except BaseException as failure:
            failure.add_note(f"{name}: {case}")
            raise
        tried += 1
    cases = sweep.operations * len(Cut)
    assert sweep.operations > 60
    assert tried == cases // stride
    with capsys.disabled():
        print(f"\n{name}: {sweep.operations} flash operations, {tried} of {cases} cuts tried, no failure")


@pytest.mark.soak
@pytest.mark.timeout(3600 if SOAK else 240)
def test_more_power_cuts_while_a_device_recovers_from_one(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sampled: one to four cuts more, each anywhere within the next 40 operations."""
    tried, rng = 0, Random(7)
    for _name, geometry, stride in CHIPS:
        sweep = sweep_of(life, geometry)
        for case in sweep.cases(stride * (2 if SOAK else 19)):
            powers = [_cut_at(rng.randint(1, 40), rng.choice(list(Cut))) for _ in range(rng.randint(1, 4))]
            sweep.recover(case, *powers)
            tried += 1
    assert tried > 40
    with capsys.disabled():
        print(f"\n{tried} devices with two to five cuts, no failure")


def sweep_of(life: Life, geometry: Geometry) -> Sweep:
    return Sweep(life, geometry, STM32F4_PLACES if geometry is STM32F4 else None)


def _cut_at(at: int, cut: Cut) -> Power:
    return Power(lambda number: cut if number == at else None)
