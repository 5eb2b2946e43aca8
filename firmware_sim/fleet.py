"""A fleet of simulated microcontrollers: one process, one loop, a connection and a flash each.

Every device runs the Linux agent's own update machine, and answers with the firmware's runtime (see
board_runtime): from a model image, in the time that the board's emulated core is estimated to take.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boards
from converter.image.compiler import EXECUTED
from device_agent.broker_url import BrokerUrl
from device_agent.device import Parts
from device_agent.process import utc_now
from device_agent.sensor import Recording, ReplaySensor, Sensor, by_wearer
from device_agent.updates import Setting
from firmware_sim.board_runtime import RUNTIME, BoardRuntime
from firmware_sim.faults import Faults
from firmware_sim.flash_file import FlashFile
from firmware_sim.flash_store import FlashStore
from firmware_sim.mcu import Mcu, Supply, told_wear
from firmware_sim.partitions import partitions_of
from firmware_sim.power import PowerCut, random_cuts
from firmware_sim.ram_outbox import RamOutbox
from firmware_sim.weak_link import weak_link
from firmware_sim.worn_sensor import WornSensor, always
from wire.errors import FleetError, InputError
from wire.messages import Hardware
from wire.preprocess import KINDS
from wire.states import NumericsFamily

if TYPE_CHECKING:
    from tuf.api.metadata import Root

DEFAULT_BOARDS: Final = ("nucleo-l4r5zi", "nano33ble", "rpi-pico", "nucleo-u575zi")
#: More than 100 at once overflow the broker's listen queue, and cost a SYN retry each.
CONNECTIONS_PER_S: Final = 100
#: Socket, socket pair, and now and then the file of its flash.
_FILES_PER_DEVICE: Final = 4

log = logging.getLogger("tinyfleet.device")


class FleetPlan(NamedTuple):
    """What a fleet is made of."""

    devices: int
    broker: BrokerUrl
    recording: Recording
    image_root: Root
    director_root: Root
    state_dir: Path
    boards: tuple[str, ...] = DEFAULT_BOARDS
    wearers: bool = False
    """Each device replays one group and session of the recording, instead of all of it."""
    samples: int = 0
    """Raw windows that each device keeps for the server to ask for."""
    rate_hz: float = 1.0
    prefix: str = "mcu"
    seed: int = 0
    faults: Faults = Faults()
    onset: Event = Event()
    """Set once the sensors wear, where that waits for a signal."""


def build_fleet(plan: FleetPlan) -> list[Mcu]:
    """The devices as ``state_dir`` has them, boards round-robin, each at its own place in the recording."""
    hardware = [mcu_hardware(board) for board in plan.boards]
    _allow_files(plan.devices * _FILES_PER_DEVICE)
    return [_build(plan, index, hardware[index % len(hardware)]) for index in range(plan.devices)]


async def simulate(plan: FleetPlan) -> None:
    """Boot a fleet and run it until cancelled, behind a weak network if the plan has one."""
    rng = Random(plan.seed)  # noqa: S311 - jitter, not a secret
    plan = plan._replace(onset=Event())
    if plan.faults.wear_at_signal:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, plan.onset.set)
    async with weak_link(plan.broker, plan.faults.link, rng) as broker:
        await run_fleet(build_fleet(plan._replace(broker=broker)), rng)


async def run_fleet(devices: list[Mcu], rng: Random) -> None:
    """Run all until cancelled; a device that breaks is logged, and the others go on.

    At the end FleetError when one broke, and StoreError when one did with its flash what no chip can do.
    """
    broken: list[str] = []
    spread_s = len(devices) / CONNECTIONS_PER_S
    asyncio.get_running_loop().set_exception_handler(_ignore_power_cuts)

    async def run(device: Mcu) -> None:
        await asyncio.sleep(rng.uniform(0, spread_s))
        try:
            await device.run()
        except Exception as error:  # noqa: BLE001 - a bug in one device is no reason to stop the fleet
            log.error("%s: broke: %r", device.name, error)
            broken.append(device.name)

    try:
        await asyncio.gather(*(run(device) for device in devices))
    finally:
        log.info("fleet: %s", told_wear(devices))
        if broken:
            few = ", ".join(sorted(broken)[:5])
            raise FleetError("device_broke", f"{len(broken)} of {len(devices)} devices broke: {few}", "a bug")


def mcu_hardware(board: str) -> Hardware:
    """Hardware of a board that can be simulated; InputError for a Linux one."""
    known = boards.load(board)
    if known.numerics is not NumericsFamily.TFLM:
        raise InputError(
            "not_an_mcu", f"{board} is {known.target}, not a microcontroller", "run: tinyfleet agent run"
        )
    return Hardware(
        target=known.target,
        board=known.name,
        numerics=known.numerics,
        runtime=RUNTIME,
        ram_bytes=known.model_ram_bytes,
        flash_bytes=known.slot_bytes,
        format="image",
        ops=tuple(sorted(EXECUTED)),
        preprocessing=KINDS,
    )


def _build(plan: FleetPlan, index: int, hardware: Hardware) -> Mcu:
    name = f"{plan.prefix}-{index:04d}"
    board = boards.load(hardware.board)
    rng = Random(f"{plan.seed}/{name}")  # noqa: S311 - jitter, not a secret
    power_rng = Random(f"{plan.seed}/{name}/power")  # noqa: S311
    faults = plan.faults
    skew = timedelta(seconds=rng.uniform(-faults.clock_skew_s, faults.clock_skew_s))
    setting = Setting(
        device=name,
        hardware=hardware,
        image_root=plan.image_root,
        director_root=plan.director_root,
        now=lambda: utc_now() + skew,
        open_model=BoardRuntime(hardware.board),
    )

    replay = _replay(plan, index)

    def assemble(store: FlashStore, outbox: RamOutbox) -> Parts:
        return Parts(
            setting=setting,
            store=store,
            outbox=outbox,
            sensor=_worn(replay, plan, index),
            broker=plan.broker,
            latency_clock="emulated",
            rng=rng,
            active_uw=board.active_uw,
            samples=plan.samples,
        )

    geometry, places = partitions_of(board)
    chip = FlashFile(plan.state_dir / f"{name}.flash", geometry, name)
    supply = Supply(random_cuts(faults.power_cuts, power_rng), power_rng)
    return Mcu(name, chip, places, hardware, supply, assemble)


def _replay(plan: FleetPlan, index: int) -> ReplaySensor:
    if not plan.wearers:
        start = index * len(plan.recording.indices) // plan.devices
        return ReplaySensor(plan.recording, plan.rate_hz, start)
    worn = by_wearer(plan.recording)
    recording = worn[index % len(worn)]
    return ReplaySensor(recording, plan.rate_hz, index * len(recording.indices) // plan.devices)


def _worn(sensor: Sensor, plan: FleetPlan, index: int) -> Sensor:
    faults = plan.faults
    # So many of every hundred, evenly: the whole part of index x share rises by one at these.
    rises = int((index + 1) * faults.wear_share) > int(index * faults.wear_share)
    if not faults.wear.any or not rises:
        return sensor
    return WornSensor(sensor, faults.wear, plan.onset.is_set if faults.wear_at_signal else always)


def _ignore_power_cuts(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Callbacks and tasks of a device without power end in a PowerCut that nobody is left to catch."""
    if not isinstance(context.get("exception"), PowerCut):
        loop.default_exception_handler(context)


def _allow_files(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed + 256
    if hard not in (resource.RLIM_INFINITY, -1) and wanted > hard:
        raise InputError(
            "too_many_devices",
            f"{wanted} open files needed, {hard} allowed",
            "raise ulimit -n, or start fewer",
        )
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
