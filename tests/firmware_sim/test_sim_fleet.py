"""A simulated fleet as its own process on a real broker."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from device_agent.broker_url import parse_broker_url
from device_agent.config import read_root
from device_agent.sensor import load_recording
from firmware_sim.fleet import FleetPlan, build_fleet, mcu_hardware, run_fleet
from firmware_sim.mcu import Mcu
from tests.device_agent.agent_rig import QUICK, Broker, Director
from tests.device_agent.recount import recount
from tests.device_agent.small_bundle import IMAGE_ARENA_BYTES, Keys, make_bundle, write_recording
from wire.errors import FleetError, InputError
from wire.part import part_of
from wire.states import Presence

DEVICES = 12


def start(
    broker: Broker, keys: Keys, tmp_path: Path, *options: str, devices: int = DEVICES
) -> subprocess.Popen[bytes]:
    command = [
        str(Path(sys.executable).with_name("tinyfleet")), "sim",
        "--devices", str(devices), "--broker", broker.url, "--trust", str(keys.folder),
        "--data", str(write_recording(tmp_path / "eval.npz")), "--state", str(tmp_path / "flash"),
        "--rate-hz", "20", "--seed", "3", *options,
    ]  # fmt: skip
    with (tmp_path / "sim.log").open("ab") as log:
        return subprocess.Popen(command, stderr=log, stdout=log)


@pytest.fixture
def fleet(broker: Broker, keys: Keys, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(broker, keys, tmp_path)
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


def test_end_to_end_a_fleet_tries_a_model_in_the_shadow_waits_for_its_time_and_can_be_told_to_stop(
    director: Director, keys: Keys, broker: Broker, tmp_path: Path
) -> None:
    v1, v2 = make_bundle(keys, 1), make_bundle(keys, 2, seed=12)
    director.publish(v1)
    director.publish(v2)
    strict, nano, waits, _ = names()[:4]
    shadow = replace(QUICK, shadow_inferences=20, shadow_per_mille=500)
    fleet = start(broker, keys, tmp_path, devices=4)
    try:
        for name in names()[:4]:
            director.assign(name, v1, 1)
        director.wait("all on v1", lambda: confirmed(director, 1) == {*names()[:4]})
        director.assign(strict, v2, 2, replace(shadow, shadow_max_disagree_per_mille=10))
        director.assign(nano, v2, 2, shadow)
        director.assign(waits, v2, 2, replace(QUICK, begin_in_s=3600, begin_for_s=3600))
        refused = director.wait_state("try-2", "rolled_back", device=strict)
        director.wait_state("try-2", "confirmed", device=nano)
        director.wait_state("try-2", "queued", device=waits)
        director.assign(waits, v2, 3, replace(QUICK, cancel=True), attempt="try-2")
        stopped = director.wait_state("try-2", "canceled", device=waits)
        director.wait_telemetry(v2.ref, device=nano)
        fleet.send_signal(signal.SIGTERM)
        assert fleet.wait(15) == 0
    finally:
        fleet.kill()
        fleet.wait(10)
    assert (refused.reason, refused.running) == ("shadow", v1.ref)
    assert re.fullmatch(r"disagreed on \d+ of 20 inputs", refused.detail)
    assert (stopped.reason, stopped.running, stopped.downloaded_bytes) == ("withdrawn", v1.ref, 0)
    seen = [w for w in director.telemetry if w.shadow is not None]
    assert {w.model for w in seen} == {v1.ref}
    assert {w.shadow and w.shadow.model for w in seen} == {v2.ref}
    for name in (strict, nano):
        told = [w.shadow for w in seen if w.device == name and w.shadow]
        assert sum(shadow.n for shadow in told) == 20
        assert sum(shadow.latency_sum_us for shadow in told) > 0
    assert {w.device for w in director.telemetry if w.model == v2.ref} == {nano}
    for window in director.telemetry:
        expected = round(window.latency_sum_us * 52 * 64 * 3.0 / 1e6) if window.device == nano else None
        assert window.energy_uj == pytest.approx(expected, abs=1)
    assert "FULLY_CONNECTED" in (refused.hardware.ops or ())


def test_a_killed_fleet_finds_its_devices_as_they_were(
    director: Director, keys: Keys, broker: Broker, tmp_path: Path
) -> None:
    v1 = make_bundle(keys, 1)
    director.publish(v1)
    director.assign("mcu-0000", v1, 1)
    fleet = start(broker, keys, tmp_path, devices=2)
    try:
        director.wait_state("try-1", "confirmed", device="mcu-0000")
        fleet.kill()
        fleet.wait(10)
        before = len(director.reported)
        fleet = start(broker, keys, tmp_path, devices=2)
        director.wait(
            "both are back", lambda: {r.device for r in director.reported[before:]} == {*names()[:2]}
        )
    finally:
        fleet.kill()
        fleet.wait(10)
    back = {report.device: report for report in director.reported[before:]}
    assert (back["mcu-0000"].running, back["mcu-0000"].sequence) == (v1.ref, 1)
    assert back["mcu-0001"].running is None
    assert {report.boot[:8] for report in back.values()} == {"00000002"}
    part, size = part_of(v1.manifest, mcu_hardware("nucleo-l4r5zi")), v1.manifest.chunk_bytes
    chunks = range(part.start // size, -(-part.end // size))
    assert len(broker.sent("mcu-0000", v1.digest)) == len(chunks) + 1


def test_power_cut_by_power_cut_a_fleet_still_ends_where_it_shall(
    director: Director, keys: Keys, broker: Broker, tmp_path: Path
) -> None:
    v1, v2, bad = make_bundle(keys, 1), make_bundle(keys, 2), make_bundle(keys, 3, damaged=True)
    for bundle in (v1, v2, bad):
        director.publish(bundle)
    fleet = start(broker, keys, tmp_path, "--power-cuts", "0.04", devices=4)
    four = names()[:4]
    try:
        for sequence, bundle in enumerate((v1, v2), 1):
            for name in four:
                director.assign(name, bundle, sequence)
            director.wait(
                f"all on {bundle.ref.version}", lambda b=bundle: confirmed(director, b.ref.version) == {*four}
            )
        for name in four:
            director.assign(name, bad, 3)
            report = director.wait_state("try-3", "rolled_back", device=name)
            assert report.running == v2.ref
            assert report.reason in ("self_test", "trial_interrupted")
        fleet.send_signal(signal.SIGTERM)
        assert fleet.wait(15) == 0
    finally:
        fleet.kill()
        fleet.wait(10)
    log = (tmp_path / "sim.log").read_text()
    assert "Traceback" not in log
    cuts = log.count("power cut at flash operation")
    assert cuts > 5
    assert f"fleet: {cuts} power cuts; " in log
    wills = [s for s in director.statuses if s.state is Presence.OFFLINE and s.device == four[0]]
    assert wills, "the broker tells of a device that lost its power"


def test_end_to_end_a_fleet_on_weak_links_with_wrong_clocks_and_worn_sensors(
    broker: Broker, director: Director, keys: Keys, tmp_path: Path
) -> None:
    faults = (
        "--link-bytes-per-s", "20000", "--link-delay-ms", "20", "--link-breaks-per-h", "1200",
        "--clock-skew-s", "5000", "--sensor-gain", "0.5", "--sensor-over", "10",
    )  # fmt: skip
    fleet = start(broker, keys, tmp_path, *faults, devices=4)
    try:
        v1 = make_bundle(keys, 1)
        director.publish(v1)
        some = names()[:4]
        for name in some:
            director.assign(name, v1, 1)
        director.wait("all on v1", lambda: confirmed(director, 1) == set(some))
        director.wait("windows of all", lambda: {w.device for w in director.telemetry} == set(some))
        director.wait("a link has broken", lambda: "no link" in (tmp_path / "sim.log").read_text())
    finally:
        fleet.send_signal(signal.SIGTERM)
        assert fleet.wait(30) == 0
    now = time.time()
    wrong = {w.device: (w.at_unix_s or now) - now for w in director.telemetry}
    assert all(abs(seconds) < 5100 for seconds in wrong.values())
    assert max(map(abs, wrong.values())) > 300
    assert {w.first for w in director.telemetry} == {None}, "the file has no such windows"


def test_a_device_that_breaks_stops_no_other_and_is_told_at_the_end(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = FleetPlan(
        devices=3,
        broker=parse_broker_url("mqtt://127.0.0.1:1"),
        recording=load_recording(write_recording(tmp_path / "eval.npz")),
        image_root=read_root(keys.folder / "image-root.json"),
        director_root=read_root(keys.folder / "director-root.json"),
        state_dir=tmp_path / "flash",
    )
    ended = []

    async def run(device: Mcu) -> None:
        if device.name == "mcu-0001":
            raise ZeroDivisionError
        ended.append(device.name)

    monkeypatch.setattr(Mcu, "run", run)
    with pytest.raises(FleetError, match="1 of 3 devices broke: mcu-0001"):
        asyncio.run(run_fleet(build_fleet(plan), Random(0)))
    assert sorted(ended) == ["mcu-0000", "mcu-0002"]


def test_a_linux_board_is_no_microcontroller() -> None:
    with pytest.raises(InputError, match="not a microcontroller"):
        mcu_hardware("rpi-4")


def latest(director: Director) -> dict:
    return {report.device: report for report in director.reported}


def confirmed(director: Director, version: int) -> set[str]:
    return {name for name, r in latest(director).items() if r.running and r.running.version == version}


def offline() -> dict[str, Presence]:
    return dict.fromkeys(names(), Presence.OFFLINE)
