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

from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.config import hardware_of, read_root
from device_agent.disk import Disk
from device_agent.loaded_model import LoadedModel
from device_agent.sensor import Reading
from device_agent.store import Store
from device_agent.updates import Setting, Updates
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

    def assignment(self, bundle: Bundle) -> Assignment:
        version = bundle.ref.version
        return Assignment(
            device="d",
            sequence=version,
            attempt=f"t{version}",
            bundle=bundle.ref,
            policy=Policy(trial_inferences=2),
        )

    async def update(self, disk: Disk, folder: Path, bundle: Bundle) -> u.State:
        """Boot, take the assignment, answer until it has settled or the power is gone."""
        answering = Answering(
            passed=lambda attempt: updates.post(u.TrialPassed(attempt)),
            failed=lambda attempt, error: updates.fail(attempt, error, None),
            closed=lambda window: None,
        )
        link = Shelf(*self.bundles)
        store = Store(folder, disk, self.hardware)
        updates = Updates(self.setting, store, link, answering, Counter(), lambda attempt: None)  # type: ignore[arg-type]
        updates.post(u.Booted())
        had = updates.state.running
        updates.post(u.Assigned(self.assignment(bundle)))
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
            await asyncio.sleep(0)
        raise AssertionError(f"never settled: {updates.state}")

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


@pytest.mark.parametrize("cut", list(Cut))
def test_power_cut_at_every_disk_operation_of_an_update(
    bench: Bench, on_v1: Path, tmp_path: Path, cut: Cut
) -> None:
    v2 = bench.bundles[1]
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


class FullDisk(Disk):
    """Takes ``room`` bytes more."""

    def __init__(self, room: int) -> None:
        super().__init__(durable=False)
        self._room = room

    def _write(self, path: Path, data: bytes, append: bool) -> None:
        if len(data) > self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._room -= len(data)
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
