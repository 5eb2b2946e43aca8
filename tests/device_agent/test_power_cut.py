"""The power is cut at every single disk operation of an update; then the device boots again."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.config import hardware_of, read_root
from device_agent.disk import Disk
from device_agent.loaded_model import LoadedModel
from device_agent.sensor import Reading
from device_agent.store import Store
from device_agent.updates import Setting, Updates
from device_agent.window import Window
from runtimes import open_model
from tests.device_agent.fault_disk import Cut, FaultDisk, PowerCut
from tests.device_agent.small_bundle import Bundle, Keys, make_bundle
from tests.device_agent.tiny_model import INPUT_SHAPE
from wire import topics
from wire.errors import StoreError
from wire.messages import encode
from wire.states import UpdateState
from wire.trust import Assignment, Policy

HARDWARE = hardware_of("linux-pc")
AT_ONCE = Policy(trial_inferences=2)
SHADOWED = Policy(trial_inferences=2, shadow_inferences=3, shadow_per_mille=500)


class Shelf:
    """Retained messages, handed out in place of a link."""

    def __init__(self, *bundles: Bundle) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.asked: list[str] = []
        self._retained: dict[str, bytes] = {}
        for bundle in bundles:
            self._retained[topics.manifest(bundle.digest)] = encode(bundle.artifact)
            for index in range(bundle.manifest.chunks):
                start, end = bundle.manifest.chunk_span(index)
                self._retained[topics.chunk(bundle.digest, index)] = bundle.payload[start:end]

    def subscribe(self, topic: str, handler) -> None:
        self.asked.append(topic)
        asyncio.get_running_loop().call_soon(handler, self._retained[topic])

    def unsubscribe(self, topic: str) -> None:
        pass


class Bench:
    """One device's update on one directory, without a network."""

    def __init__(self, keys: Keys, *bundles: Bundle) -> None:
        self.keys = keys
        self.bundles = bundles
        self.hardware = HARDWARE
        roots = (read_root(keys.folder / f"{name}-root.json") for name in ("image", "director"))
        self.setting = Setting("d", self.hardware, *roots, now=lambda: datetime.now(UTC))
        self.readings = np.zeros(INPUT_SHAPE, np.float32)
        self.policy = AT_ONCE
        self.windows: list[Window] = []
        self.on_trial_at_cancel = False

    def assignment(self, bundle: Bundle) -> Assignment:
        version = bundle.ref.version
        return Assignment(
            device="d", sequence=version, attempt=f"t{version}", bundle=bundle.ref, policy=self.policy
        )

    def cancellation(self, bundle: Bundle) -> Assignment:
        wanted = self.assignment(bundle)
        return replace(wanted, sequence=wanted.sequence + 1, policy=replace(self.policy, cancel=True))

    async def update(
        self,
        disk: Disk,
        folder: Path,
        bundle: Bundle,
        cancel_in: UpdateState | None = None,
        after: int = 0,
    ) -> u.State:
        """Boot, take the assignment, answer until it has settled or the power is gone.

        With ``cancel_in`` it is withdrawn when it has been in this state for ``after`` answers.
        """
        answering = Answering(
            passed=lambda attempt: updates.post(u.TrialPassed(attempt)),
            failed=lambda attempt, error: updates.fail(attempt, error, None),
            closed=self.windows.append,
        )
        self.answering = answering
        link = Shelf(*self.bundles)
        store = Store(folder, disk, self.hardware)
        updates = Updates(self.setting, store, link, answering, Counter(), lambda attempt: None)  # type: ignore[arg-type]
        updates.post(u.Booted())
        had = updates.state.running
        updates.post(u.Assigned(self.assignment(bundle)))
        seen = 0
        for step in range(100_000):
            answering.answer(Reading(step, step, self.readings, None))
            assert answering.answers or had is None
            attempt = updates.state.attempt
            if getattr(disk, "dark", False):
                await updates.stop()
                raise PowerCut
            if attempt and attempt.settled:
                await updates.stop()
                return updates.state
            seen += bool(attempt and attempt.state is cancel_in)
            if seen > after:
                self.on_trial_at_cancel = answering.holds(bundle.digest) is not None
                updates.post(u.Assigned(self.cancellation(bundle)))
                continue
            await asyncio.sleep(0)
        raise AssertionError(f"never settled: {updates.state}")

    async def idle(self, folder: Path) -> u.State:
        """Boot and answer for a while, without a link."""
        answering = Answering(
            passed=lambda attempt: updates.post(u.TrialPassed(attempt)),
            failed=lambda attempt, error: updates.fail(attempt, error, None),
            closed=lambda window: None,
        )
        store = Store(folder, Disk(durable=False), self.hardware)
        updates = Updates(self.setting, store, Shelf(), answering, Counter(), lambda attempt: None)  # type: ignore[arg-type]
        updates.post(u.Booted())
        for step in range(50):
            answering.answer(Reading(step, step, self.readings, None))
            await asyncio.sleep(0)
        await updates.stop()
        return updates.state

    def check_confirmed(self, folder: Path) -> None:
        """What any boot finds: a confirmed slot whose every byte is the one that was signed."""
        store = Store(folder, Disk(), self.hardware)
        state = store.load()
        assert state.confirmed is not None
        assert state.running is not None
        content = store.slot(state.confirmed).load(state.running.digest)
        LoadedModel(state.running, content.manifest, content.files, self.hardware, open_model)


@pytest.fixture
def bench(keys: Keys) -> Bench:
    return Bench(keys, make_bundle(keys, 1), make_bundle(keys, 2))


@pytest.fixture
def on_v1(bench: Bench, tmp_path: Path) -> Path:
    folder = tmp_path / "on-v1"
    state = asyncio.run(bench.update(Disk(), folder, bench.bundles[0]))
    assert state.attempt
    assert state.attempt.state is UpdateState.CONFIRMED, state.attempt
    return folder


@pytest.mark.parametrize("policy", [AT_ONCE, SHADOWED], ids=["at once", "shadowed"])
@pytest.mark.parametrize("cut", list(Cut))
def test_power_cut_at_every_disk_operation_of_an_update(
    bench: Bench, on_v1: Path, tmp_path: Path, cut: Cut, policy: Policy
) -> None:
    v2, bench.policy = bench.bundles[1], policy
    counting = tmp_path / "counting"
    shutil.copytree(on_v1, counting)
    disk = FaultDisk(counting)
    asyncio.run(bench.update(disk, counting, v2))
    assert disk.operations > 40
    for at in range(1, disk.operations + 1):
        folder = tmp_path / f"cut-{at}"
        shutil.copytree(on_v1, folder)
        with pytest.raises(PowerCut):
            asyncio.run(bench.update(FaultDisk(folder, at, cut), folder, v2))
        bench.check_confirmed(folder)
        state = asyncio.run(bench.update(Disk(durable=False), folder, v2))
        assert state.running == v2.ref, (at, state.attempt)
        shutil.rmtree(folder)


#: States that last longer than one step, so that the device can be told in them, and for how many answers:
#: before its golden vectors, in the shadow, and while it answers.
CANCELED = [
    (UpdateState.QUEUED, 0),
    (UpdateState.DOWNLOADING, 0),
    (UpdateState.TESTING, 0),
    (UpdateState.TESTING, 8),
    (UpdateState.TESTING, 13),
]


@pytest.mark.parametrize(("canceled_in", "after"), CANCELED)
@pytest.mark.parametrize("cut", list(Cut))
def test_power_cut_at_every_disk_operation_of_a_canceled_update(
    bench: Bench, on_v1: Path, tmp_path: Path, cut: Cut, canceled_in: UpdateState, after: int
) -> None:
    """What a device knows to be canceled it never commits, also where no server tells it again."""
    (v1, v2), bench.policy = bench.bundles, SHADOWED
    counting = tmp_path / "counting"
    shutil.copytree(on_v1, counting)
    disk = FaultDisk(counting)
    state = asyncio.run(bench.update(disk, counting, v2, canceled_in, after))
    assert bench.on_trial_at_cancel is (after == 13)
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason, state.running) == ("canceled", "withdrawn", v1.ref)
    known = 0
    for at in range(1, disk.operations + 1):
        folder = tmp_path / f"cut-{at}"
        shutil.copytree(on_v1, folder)
        with pytest.raises(PowerCut):
            asyncio.run(bench.update(FaultDisk(folder, at, cut), folder, v2, canceled_in, after))
        bench.check_confirmed(folder)
        found = Store(folder, Disk(), HARDWARE).load().attempt
        if found is not None and found.state is UpdateState.CANCELED:
            known += 1
            assert asyncio.run(bench.idle(folder)).running == v1.ref
        state = asyncio.run(bench.update(Disk(durable=False), folder, v2, canceled_in))
        assert state.attempt
        assert (state.attempt.state, state.attempt.reason) == ("canceled", "withdrawn"), at
        assert asyncio.run(bench.idle(folder)).running == v1.ref
        shutil.rmtree(folder)
    assert known or cut is not Cut.KEPT


class FullDisk(Disk):
    """Takes ``room`` bytes more."""

    def __init__(self, room: int) -> None:
        super().__init__(durable=False)
        self.room = room

    def _write(self, path: Path, data: bytes, append: bool) -> None:
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        super()._write(path, data, append)


def test_full_disk_at_any_moment_fails_the_update_and_the_old_model_answers(
    bench: Bench, on_v1: Path, tmp_path: Path
) -> None:
    ends = Counter()
    for room in range(0, 20_000, 200):
        folder = tmp_path / f"room-{room}"
        shutil.copytree(on_v1, folder)
        state = asyncio.run(bench.update(FullDisk(room), folder, bench.bundles[1]))
        assert state.attempt
        ends[f"{state.attempt.state} {state.attempt.reason}"] += 1
        bench.check_confirmed(folder)
    assert set(ends) == {"failed storage", "rolled_back storage", "confirmed none"}


def test_a_cancellation_that_cannot_be_kept_stops_the_trial_all_the_same(
    bench: Bench, on_v1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.policy = replace(AT_ONCE, trial_inferences=1000)
    v1, v2 = bench.bundles
    disk, sign = FullDisk(20_000), bench.cancellation

    def fill_the_disk(bundle: Bundle) -> Assignment:
        disk.room = 0
        return sign(bundle)

    monkeypatch.setattr(bench, "cancellation", fill_the_disk)
    state = asyncio.run(bench.update(disk, on_v1, v2, UpdateState.TESTING, after=20))
    assert bench.on_trial_at_cancel
    assert state.attempt
    assert (state.attempt.state, state.running) == ("canceled", v1.ref)
    bench.answering.answer(Reading(0, 0, bench.readings, None))
    bench.answering.close_window()
    assert bench.windows[-1].model.ref == v1.ref


def test_too_little_space_is_found_before_the_download(
    bench: Bench, on_v1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "free_bytes", lambda self, folder: 1000)
    state = asyncio.run(bench.update(Disk(), on_v1, bench.bundles[1]))
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == ("failed", "storage")
    assert state.attempt.downloaded_bytes == 0
    assert "bytes free" in state.attempt.detail


def test_damaged_confirmed_slot_is_told_and_the_next_assignment_heals_it(bench: Bench, on_v1: Path) -> None:
    payload = on_v1 / "slots" / "a" / "payload.bin"
    payload.write_bytes(b"\xff" + payload.read_bytes()[1:])
    v1, v2 = bench.bundles
    state = asyncio.run(bench.update(Disk(), on_v1, v1))
    assert state.running is None
    assert state.attempt
    assert (state.attempt.state, state.attempt.reason) == ("failed", "storage")
    assert asyncio.run(bench.update(Disk(), on_v1, v2)).running == v2.ref


def test_damaged_state_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path, Disk(), HARDWARE).load()


def test_boots_are_counted_across_damage(tmp_path: Path) -> None:
    store = Store(tmp_path, Disk(), HARDWARE)
    assert [store.next_boot(), store.next_boot()] == [1, 2]
