"""What people complain about in other systems for updates over the air, each tried here.

A test is named after the issue or pull request in which it was written down.
"""

import asyncio
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from device_agent.disk import Disk
from fleet_server import counters, gatekeeper, queries, rollout_driver
from fleet_server import rollout_commands as commands
from fleet_server.bridge import Bridge
from fleet_server.fleet import Fleet
from fleet_server.gates.verdict import Verdict
from fleet_server.rollout_policy import MaintenanceWindow
from fleet_server.settings import Settings
from tests.device_agent.agent_rig import Agent
from tests.device_agent.small_bundle import Bundle, Keys
from tests.device_agent.small_bundle import make_bundle as make_real_bundle
from tests.device_agent.test_power_cut import Bench, FullDisk
from tests.fleet_server.fake_device import HARDWARE
from tests.fleet_server.served import QUICK, Served, confirm, until
from wire import topics
from wire.messages import encode
from wire.states import Reason, UpdateState


@pytest.fixture
def served(fleet: Fleet, make_bundle: Callable) -> Iterator[Served]:
    made = Served(fleet, make_bundle)
    yield made
    made.close()


def test_hawkbit_3185_a_success_that_falls_back_at_boot_is_seen_and_counts(served: Served) -> None:
    first, second = served.device("mcu-0"), served.device("mcu-1")
    one = served.roll(1)
    old = confirm(first).bundle
    confirm(second)
    served.until_state(one, "finished")
    two = served.roll(2, msgspec.structs.replace(QUICK, soak_s=60))
    new = confirm(first)
    first.report(new, UpdateState.CONFIRMED, runs=old)  # its boot loader took the other slot
    served.until_state(two, "rolling_back")
    assert served.shown(two)["reason"] == "fell_back on 1 of 2 devices in stage 1 of 1"
    assert served.member(two, "mcu-0")["state"] == "rolled_back"
    assert queries.device(served.fleet.store, "mcu-0")["version"] == 1


def test_hawkbit_3185_also_after_the_rollout_has_finished(served: Served) -> None:
    device = served.device()
    served.running(device, 1)
    old = device.running
    two = served.running(device, 2)
    served.until_member(two, "succeeded")
    device.report(None, None, runs=old)
    served.until_member(two, "rolled_back")
    assert served.member(two)["reason"] == "fell_back"


def test_rauc_hawkbit_updater_161_installed_is_no_success_and_a_rollback_is_known(served: Served) -> None:
    device = served.device()
    served.running(device, 1)
    two = served.roll(2)
    wish = device.assignments.get(timeout=20)
    for state in (UpdateState.INSTALLED, UpdateState.TESTING):
        device.report(wish, state)
        served.until_member(two, state)
        assert served.shown(two)["state"] == "running", "nothing is a success before the reboot is verified"
    device.report(wish, UpdateState.ROLLED_BACK, Reason.TRIAL_INTERRUPTED)
    back = device.assignments.get(timeout=20)
    device.report(back, UpdateState.ALREADY_INSTALLED)
    served.until_state(two, "stopped")
    again = served.roll(2)  # and the server does not believe that the device has it already
    assert confirm(device).bundle.version == 2
    served.until_state(again, "finished")


def test_hawkbit_693_a_silently_bricked_device_counts_as_failed(served: Served) -> None:
    device = served.device()
    served.running(device, 1)
    two = served.roll(2, msgspec.structs.replace(QUICK, deadline_s=0.5))
    device.report(device.assignments.get(timeout=20), UpdateState.TESTING)  # its last words
    served.until_state(two, "rolling_back", "stopped")
    assert served.shown(two)["reason"] == "deadline on 1 of 1 devices in stage 1 of 1"
    assert served.member(two)["state"] == "timed_out"


def test_hawkbit_pr_2867_a_gate_stops_what_was_installed_well(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = served.device()
    served.running(device, 1)
    verdict = Verdict(gate="latency", outcome="fail", reason="p95 grew by 80 %")
    two = served.roll(2, msgspec.structs.replace(QUICK, soak_s=60))
    confirm(device)
    served.until_member(two, "confirmed")
    until(lambda: served.shown(two)["stages"][0]["state"] == "soaking", "it soaks")
    monkeypatch.setattr(gatekeeper, "verdicts", lambda *_: [verdict])
    back = device.assignments.get(timeout=20)
    assert back.bundle.version == 1
    device.report(back, UpdateState.CONFIRMED)
    served.until_state(two, "stopped")
    assert served.shown(two)["reason"] == "latency: p95 grew by 80 %"


def test_hawkbit_pr_2867_a_gate_without_proof_pauses_for_a_person(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = served.device()
    verdict = Verdict(gate="accuracy", outcome="not_yet", reason="no labels", need="proof")
    monkeypatch.setattr(gatekeeper, "verdicts", lambda *_: [verdict])
    one = served.roll(1, msgspec.structs.replace(QUICK, patience_s=0.1))
    confirm(device)
    served.until_state(one, "paused")
    assert "no proof from accuracy: no labels" in served.shown(one)["reason"]
    (alert,) = queries.open_alerts(served.fleet.store)
    assert (alert["severity"], alert["subject"]) == ("warning", f"rollout {one}")
    served.command(one, commands.skip)
    served.until_state(one, "finished")


class RealFleet:
    """The real server and a real agent process, provisioned for each other."""

    def __init__(self, folder: Path) -> None:
        self.keys = Keys(folder / "trust")
        (self.keys.folder / "director.key").write_bytes(self.keys.director.private_bytes)
        settings = Settings(data_dir=folder / "data", trust_dir=self.keys.folder, broker_port=0, tick_s=0.05)
        self.fleet = Fleet(settings).start()
        self.agent = Agent(folder, self.keys, self.fleet.broker)

    def publish(self, version: int) -> Bundle:
        bundle = make_real_bundle(self.keys, version)
        files, start = {}, 0
        for entry in bundle.manifest.device_files:
            files[entry.path] = bundle.payload[start : start + entry.bytes]
            start += entry.bytes
        self.fleet.registry.publish(bundle.artifact, files, time.time())
        return bundle

    def roll(self, bundle: Bundle) -> int:
        policy = msgspec.structs.replace(
            QUICK, device=msgspec.structs.replace(QUICK.device, report_every_ms=100)
        )
        return self.fleet.store.write(
            lambda db: rollout_driver.create_rollout(db, bundle.digest, policy, time.time(), "test")
        ).id

    def state(self, number: int) -> str | None:
        members = queries.rollout(self.fleet.store, number)["devices"]
        return members[0]["state"] if members else None


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealFleet]:
    made = RealFleet(tmp_path)
    yield made
    made.agent.stop()
    made.fleet.stop()


def test_thingsboard_10191_power_pulled_in_the_middle_of_a_download(
    real: RealFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = real.publish(1)
    with monkeypatch.context() as patch:
        patch.setattr(Bridge, "_publish_artifact", _half_an_artifact)
        number = real.roll(bundle)
        real.agent.start()
        until(lambda: real.state(number) == "downloading", "it downloads", 40)
        real.agent.kill()
    real.fleet.bridge._publish_artifact(bundle.digest)
    assert real.state(number) == "downloading", "nobody says that it is updated"
    real.agent.start()
    until(lambda: real.state(number) == "succeeded", "it went on by itself", 40)
    assert queries.device(real.fleet.store, "pi-1")["digest"] == bundle.digest


def _half_an_artifact(bridge: Bridge, digest: str) -> None:
    manifest, payload = bridge._registry.manifest(digest), bridge._registry.payload(digest)
    bridge._client.publish(topics.manifest(digest), encode(bridge._registry.artifact(digest)), 1, True)
    for index in range(manifest.chunks // 2):
        start, end = manifest.chunk_span(index)
        bridge._client.publish(topics.chunk(digest, index), payload[start:end], 1, True)


def test_thingsboard_10191_who_says_updated_and_runs_the_old_version_is_not_believed(served: Served) -> None:
    device = served.device()
    served.running(device, 1)
    old = device.running
    two = served.roll(2)
    device.report(device.assignments.get(timeout=20), UpdateState.CONFIRMED, runs=old)
    served.until_state(two, "rolling_back")
    assert served.member(two)["state"] == "rolled_back"


def test_thingsboard_11732_what_was_assigned_while_offline_is_delivered(served: Served) -> None:
    here, away = served.device("mcu-0"), served.device("mcu-1")
    away.leave()
    until(lambda: queries.device(served.fleet.store, "mcu-1")["presence"] == "offline", "the server knows")
    one = served.roll(1, msgspec.structs.replace(QUICK, deadline_s=2))
    confirm(here)
    served.until_state(one, "finished")
    assert served.member(one, "mcu-1")["state"] == "queued", "neither late nor failed"
    away.connect()
    confirm(away)
    served.until_member(one, "succeeded", "mcu-1")


def test_thingsboard_5674_an_update_that_hangs_ends_and_says_why(served: Served) -> None:
    device = served.device()
    one = served.roll(1, msgspec.structs.replace(QUICK, deadline_s=0.5))
    wish = device.assignments.get(timeout=20)
    for _ in range(3):
        device.report(wish, UpdateState.DOWNLOADING)
    served.until_state(one, "stopped")
    member = served.member(one)
    assert (member["state"], member["reason"]) == ("timed_out", "deadline")
    assert [a["severity"] for a in queries.open_alerts(served.fleet.store)] == ["critical"]
    assert device.assignments.get(timeout=20).policy.cancel, (
        "it has nothing to go back to, and shall not go on"
    )


def test_greengrass_nucleus_1203_and_807_one_stuck_device_blocks_no_later_update(served: Served) -> None:
    device = served.device()
    one = served.roll(1)
    stuck = device.assignments.get(timeout=20)
    device.report(stuck, UpdateState.DOWNLOADING)
    served.until_member(one, "downloading")
    urgent = served.roll(2, msgspec.structs.replace(QUICK, priority=10))
    confirm(device)
    served.until_state(urgent, "finished")
    served.until_state(one, "finished", "running")
    assert queries.device(served.fleet.store, "mcu-0")["version"] == 2
    with pytest.raises(queue.Empty):
        device.assignments.get(timeout=0.3)  # and is not sent back to the version that it was stuck with


def test_greengrass_lite_1018_a_lost_success_is_said_again(real: RealFleet) -> None:
    bundle = real.publish(1)
    number = real.roll(bundle)
    real.agent.start()
    until(lambda: real.state(number) == "succeeded", "it is updated", 40)
    real.agent.kill()
    # As if nothing had arrived since the trial began, and the deadline had passed meanwhile.
    real.fleet.store.write(
        lambda db: db.execute(
            """UPDATE assignments SET state = 'timed_out', reason = 'deadline',
                   confirmed_at = NULL, observed_at = NULL"""
        )
    )
    real.agent.start()
    until(lambda: real.state(number) == "succeeded", "truth replaces what was presumed", 40)


def test_balena_supervisor_674_a_full_disk_is_found_before_the_download_and_heals_when_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path / "keys")
    v1, v2 = make_real_bundle(keys, 1), make_real_bundle(keys, 2)
    bench = Bench(keys, v1, v2)
    folder = tmp_path / "device"
    asyncio.run(bench.update(Disk(durable=False), folder, v1))
    with monkeypatch.context() as full:
        full.setattr(Disk, "free_bytes", lambda self, folder: 100)
        state = asyncio.run(bench.update(FullDisk(2000), folder, v2))
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == ("failed", "storage")
    assert state.attempt.downloaded_bytes == 0
    assert state.running == v1.ref, "the old model answers"
    retry = msgspec.structs.replace(bench.assignment(v2), attempt="t2-again", sequence=3)
    monkeypatch.setattr(bench, "assignment", lambda bundle: retry)
    assert asyncio.run(bench.update(Disk(durable=False), folder, v2)).running == v2.ref


def test_balena_supervisor_674_the_server_tries_again_after_a_full_disk(served: Served) -> None:
    device = served.device()
    retry = msgspec.structs.replace(QUICK.retry, after_s=0.2)
    one = served.roll(1, msgspec.structs.replace(QUICK, retry=retry))
    first = device.assignments.get(timeout=20)
    device.report(first, UpdateState.FAILED, Reason.STORAGE)
    second = confirm(device)
    assert second.attempt != first.attempt
    assert second.sequence > first.sequence
    served.until_state(one, "finished")
    assert served.shown(one)["counts"] == {"succeeded": 1}
    assert served.member(one)["attempts"] == 2


def test_esphome_971_a_model_that_is_too_large_is_refused_before_anything_is_sent(served: Served) -> None:
    small = msgspec.structs.replace(HARDWARE, flash_bytes=5_000)
    device = served.device("tiny", small)
    other = served.device("roomy")
    digest = served.publish(1)
    dry = served.fleet.store.write(lambda db: rollout_driver.dry_run(db, digest, QUICK))
    assert dry["fits"] == 1
    assert dry["by_reason"] == {"out_of_flash": 1}
    assert "needs 9005 bytes of flash, nano33ble gives 5000" in dry["rejected"][0]["message"]
    one = served.roll(1)
    confirm(other)
    served.until_state(one, "finished")
    member = served.member(one, "tiny")
    assert (member["state"], member["reason"]) == ("rejected", "out_of_flash")
    assert device.assignments.empty()
    device.hardware = HARDWARE  # a larger board under the same name
    device.report(None, None)
    confirm(device)
    served.until_member(one, "succeeded", "tiny")


def test_hawkbit_pr_2161_a_rollout_that_cannot_be_moved_on_stops_no_other(served: Served) -> None:
    device = served.device()
    broken = served.roll(1, msgspec.structs.replace(QUICK, where=None, priority=5))
    before = counters.ROLLOUT_ERRORS._value.get()
    served.fleet.store.write(
        lambda db: db.execute(
            "UPDATE rollouts SET body = json_set(body, '$.stages', 7) WHERE id = ?", (broken,)
        )
    )
    until(lambda: counters.ROLLOUT_ERRORS._value.get() > before, "it was tried and counted")
    digest = served.publish(2)
    two = served.fleet.store.write(
        lambda db: rollout_driver.create_rollout(db, digest, QUICK, time.time(), "test")
    )
    while confirm(device).bundle.version != 2:
        pass
    until(lambda: served.fleet.store.row("SELECT 1 FROM rollouts WHERE id = ? AND body LIKE '%finished%'",
                                         (two.id,)), "the other goes on")  # fmt: skip
    alerts = [a for a in queries.open_alerts(served.fleet.store) if a["subject"] == f"rollout {broken}"]
    assert len(alerts) == 1, "said once, not with every tick"


def test_hawkbit_1770_stages_without_devices_pass_and_an_empty_rollout_waits_for_some(
    served: Served,
) -> None:
    one = served.roll(1, msgspec.structs.replace(QUICK, stages=(0.1, 0.5, 1.0)))
    assert served.shown(one)["state"] == "running"
    confirm(served.device())
    served.until_state(one, "finished")
    late = served.device("mcu-1")  # hawkbit 1548: a newcomer takes part, too
    assert confirm(late).bundle.version == 1
    served.until_member(one, "succeeded", "mcu-1")


def test_hawkbit_pr_535_devices_without_a_clock_are_told_how_long_not_when(served: Served) -> None:
    device = served.device()
    window = MaintenanceWindow(starts_in_s=1, length_s=2, every_s=60)
    began = time.time()
    one = served.roll(1, msgspec.structs.replace(QUICK, windows=(window,)))
    wish = device.assignments.get(timeout=20)
    assert time.time() >= began + 1, "nobody is told before the window"
    assert (wish.policy.begin_in_s, wish.policy.begin_for_s) == (0, 1)
    again = device.assignments.get(timeout=20)  # it has not begun when the window closes
    assert again.attempt == wish.attempt
    assert 50 < again.policy.begin_in_s <= 60
    assert again.policy.begin_for_s in (1, 2)
    assert served.member(one)["state"] == "queued"


def test_mender_mcu_pr_192_an_aborted_device_is_told_so_and_takes_the_next_update(served: Served) -> None:
    """And zephyr 89530, where a canceled device stayed stuck."""
    device = served.device()
    one = served.roll(1)
    wish = device.assignments.get(timeout=20)
    device.report(wish, UpdateState.TESTING)
    served.until_member(one, "testing")
    for _ in range(2):
        served.command(one, commands.abort)
    cancel = device.assignments.get(timeout=20)
    assert (cancel.attempt, cancel.policy.cancel) == (wish.attempt, True)
    assert cancel.sequence > wish.sequence
    device.report(cancel, UpdateState.CANCELED, Reason.WITHDRAWN)
    served.until_member(one, "canceled")
    commanded = [e["message"] for e in queries.events_of(served.fleet.store, f"rollout {one}")]
    assert commanded.count("running -> stopped, by test") == 1
    served.running(device, 2)
