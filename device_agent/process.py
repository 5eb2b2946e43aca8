"""The process around devices: signals, logging, systemd."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from device_agent.broker_url import parse_broker_url
from device_agent.config import (
    AgentConfig,
    ProgramConfig,
    ReplayConfig,
    check_machine,
    hardware_of,
    load_config,
    read_root,
)
from device_agent.device import Device, Parts
from device_agent.disk import Disk
from device_agent.notify import keep_watchdog, notify
from device_agent.outbox import Outbox
from device_agent.program_sensor import ProgramSensor
from device_agent.sensor import ReplaySensor, Sensor, load_recording
from device_agent.store import Store
from device_agent.updates import Setting


def utc_now() -> datetime:
    """The device's clock."""
    return datetime.now(UTC)


def build_device(config: AgentConfig, base: Path) -> Device:
    """The device that a config describes; paths are relative to ``base``. Boots it."""
    hardware = hardware_of(config.board)
    check_machine(hardware)
    setting = Setting(
        device=config.device,
        hardware=hardware,
        image_root=read_root(base / config.trust.image_root),
        director_root=read_root(base / config.trust.director_root),
        now=utc_now,
    )
    broker = parse_broker_url(
        config.broker,
        None if config.broker_password_file is None else base / config.broker_password_file,
        None if config.broker_ca_file is None else base / config.broker_ca_file,
    )
    state_dir = base / config.state_dir
    return Device(
        Parts(
            setting=setting,
            store=Store(state_dir, Disk(), hardware),
            outbox=Outbox(state_dir / "outbox.sqlite", config.outbox.max_entries, config.outbox.max_bytes),
            sensor=open_sensor(config.sensor, base),
            broker=broker,
            latency_clock="device",
            rng=SystemRandom(),
            samples=config.samples.keep,
        )
    )


def open_sensor(config: ReplayConfig | ProgramConfig, base: Path) -> Sensor:
    """The sensor that a config describes."""
    if isinstance(config, ProgramConfig):
        return ProgramSensor(config.command)
    recording = load_recording(base / config.file, config.groups)
    return ReplaySensor(recording, config.rate_hz, config.start, config.stride)


def run_agent(config_file: Path) -> None:
    """Run one device until SIGTERM or SIGINT."""
    device = build_device(load_config(config_file), config_file.parent)
    log_to_stderr()
    asyncio.run(until_signalled(device.run))


async def until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work``; SIGTERM or SIGINT cancels it, which lets it end in good order."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    watchdog = asyncio.create_task(keep_watchdog())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    notify("READY=1")
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
    finally:
        watchdog.cancel()
        notify("STOPPING=1")


def log_to_stderr(level: int = logging.INFO) -> None:
    """One line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("tinyfleet")
    root.addHandler(handler)
    root.setLevel(level)
