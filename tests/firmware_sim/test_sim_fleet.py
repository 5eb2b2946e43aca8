"""A simulated fleet as its own process on a real broker."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.fleet import mcu_hardware
from tests.device_agent.agent_rig import Broker, Director
from tests.device_agent.recount import recount
from tests.device_agent.small_bundle import IMAGE_ARENA_BYTES, Keys, make_bundle, write_recording
from wire.errors import InputError
from wire.states import Presence

DEVICES = 12


@pytest.fixture
def fleet(broker: Broker, keys: Keys, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        str(Path(sys.executable).with_name("tinyfleet")), "sim",
        "--devices", str(DEVICES), "--broker", broker.url, "--trust", str(keys.folder),
        "--data", str(write_recording(tmp_path / "eval.npz")), "--state", str(tmp_path / "flash"),
        "--rate-hz", "20", "--seed", "3",
    ]  # fmt: skip
    with (tmp_path / "sim.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
    yield process
    process.kill()
    process.wait(10)


def names() -> list[str]:
    return [f"mcu-{index:04d}" for index in range(DEVICES)]


def test_end_to_end_a_fleet_updates_reverts_and_reports(
    director: Director, fleet: subprocess.Popen[bytes], keys: Keys, broker: Broker, tmp_path: Path
) -> None:
    v1, bad = make_bundle(keys, 1), make_bundle(keys, 2, damaged=True)
    director.publish(v1)
    director.publish(bad)
    for name in names():
        director.assign(name, v1, 1)
    director.wait("all on v1", lambda: confirmed(director, 1) == set(names()))
    boards = Counter(report.hardware.board for report in latest(director).values())
    assert boards == dict.fromkeys(("nucleo-l4r5zi", "nano33ble", "rpi-pico", "nucleo-u575zi"), 3)

    victims = names()[:4]
    for name in victims:
        director.assign(name, bad, 2)
    for name in victims:
        report = director.wait_state("try-2", "rolled_back", device=name)
        assert (report.reason, report.running) == ("self_test", v1.ref)
    spared = [topic for name in names()[4:] for topic in broker.sent(name, bad.digest)]
    assert spared == []

    director.wait("windows of all", lambda: {w.device for w in director.telemetry} == set(names()))
    for window in director.telemetry:
        assert (window.latency_clock, window.rss_bytes) == ("emulated", None)
        assert (window.numerics, window.arena_bytes) == ("tflm", IMAGE_ARENA_BYTES)
        assert recount(window, v1, tmp_path / "eval.npz") == (window.correct, window.classes)
    firsts = {w.device: w.first for w in reversed(director.telemetry)}
    assert len(set(firsts.values())) > DEVICES // 2

    fleet.send_signal(signal.SIGTERM)
    assert fleet.wait(15) == 0
    director.wait("all offline", lambda: {s.device: s.state for s in director.statuses} == offline())


def test_a_linux_board_is_no_microcontroller() -> None:
    with pytest.raises(InputError, match="not a microcontroller"):
        mcu_hardware("rpi-4")


def latest(director: Director) -> dict:
    return {report.device: report for report in director.reported}


def confirmed(director: Director, version: int) -> set[str]:
    return {name for name, r in latest(director).items() if r.running and r.running.version == version}


def offline() -> dict[str, Presence]:
    return dict.fromkeys(names(), Presence.OFFLINE)
