"""A device begins when its wish lets it, by its own monotonic clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.disk import Disk
from device_agent.sensor import Reading
from device_agent.store import Store
from device_agent.updates import Updates
from tests.device_agent.jumping_loop import JumpingLoop
from tests.device_agent.small_bundle import Bundle, Keys, make_bundle
from tests.device_agent.test_power_cut import HARDWARE, Bench, Shelf
from wire.states import UpdateState
from wire.trust import Policy

IN_A_MINUTE = Policy(trial_inferences=2, begin_in_s=60, begin_for_s=600)


class Boot:
    """One boot of a device on a loop whose clock jumps; it notes when it saw which state first."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.link = Shelf(*bench.bundles)
        self.seen: dict[UpdateState, float] = {}
        self.answering = Answering(
            passed=lambda attempt: self.updates.post(u.TrialPassed(attempt)),
            failed=lambda attempt, error: self.updates.fail(attempt, error, None),
            closed=lambda window: None,
        )
        store = Store(folder, Disk(durable=False), HARDWARE)
        self.updates = Updates(
            bench.setting,
            store,
            self.link,
            self.answering,
            Counter(),
            self.note,  # type: ignore[arg-type]
        )
        self.updates.post(u.Booted())

    def note(self, attempt: u.Attempt | None) -> None:
        if attempt is not None:
            self.seen.setdefault(attempt.state, asyncio.get_running_loop().time())

    def wish(self, bundle: Bundle, policy: Policy, renewed: int = 0) -> None:
        wanted = self.bench.assignment(bundle)
        self.updates.post(u.Assigned(replace(wanted, sequence=wanted.sequence * 10 + renewed, policy=policy)))

    async def until(self, time_s: float) -> UpdateState | None:
        """Answer once a second; the state at that time."""
        loop = asyncio.get_running_loop()
        while loop.time() < time_s:
            self.answering.answer(Reading(0, 0, self.bench.readings, None))
            await asyncio.sleep(min(1.0, time_s - loop.time()))
        attempt = self.updates.state.attempt
        return None if attempt is None else attempt.state


@pytest.fixture
def bench(keys: Keys) -> Bench:
    return Bench(keys, make_bundle(keys, 1), make_bundle(keys, 2))


def live(bench: Bench, folder: Path, story: Callable[[Boot], Awaitable[None]]) -> Boot:
    """Boot and live through a story; the loop's clock begins anew, as a boot's does."""

    async def run() -> Boot:
        boot = Boot(bench, folder)
        await story(boot)
        await boot.updates.stop()
        return boot

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(run())


def test_it_waits_for_its_time_and_then_goes_on_to_the_end(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        assert await boot.until(59) is UpdateState.QUEUED
        assert not boot.link.asked
        assert await boot.until(120) is UpdateState.CONFIRMED

    seen = live(bench, tmp_path, story).seen
    assert (seen[UpdateState.QUEUED], seen[UpdateState.DOWNLOADING]) == (0, 60)


def test_a_model_that_the_other_slot_holds_waits_too(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        v1, v2 = bench.bundles
        boot.wish(v1, bench.policy)
        await boot.until(20)
        boot.wish(v2, bench.policy)
        await boot.until(40)
        boot.bench.policy = IN_A_MINUTE
        again = replace(bench.assignment(v1), sequence=30, attempt="back")
        boot.updates.post(u.Assigned(again))
        boot.seen.clear()
        assert await boot.until(99) is UpdateState.QUEUED
        assert boot.updates.state.running == v2.ref
        assert await boot.until(120) is UpdateState.CONFIRMED

    seen = live(bench, tmp_path, story).seen
    assert seen[UpdateState.INSTALLED] == pytest.approx(100)
    assert UpdateState.DOWNLOADING not in seen


def test_receiving_the_same_wish_again_moves_neither_opening_nor_end(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        for again_s in range(0, 60, 10):
            await boot.until(again_s)
            boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(120)

    assert live(bench, tmp_path, story).seen[UpdateState.DOWNLOADING] == 60


def test_a_renewed_wish_restarts_the_waiting_with_its_times(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(50)
        boot.wish(bench.bundles[0], Policy(begin_in_s=100), renewed=1)
        await boot.until(200)

    assert live(bench, tmp_path, story).seen[UpdateState.DOWNLOADING] == 150


def test_a_wish_renewed_without_a_time_begins_at_once(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(50)
        boot.wish(bench.bundles[0], Policy(), renewed=1)
        await boot.until(55)

    assert live(bench, tmp_path, story).seen[UpdateState.DOWNLOADING] == 50


def test_without_a_link_it_misses_its_time_and_waits_for_a_renewed_wish(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        boot.link.up.clear()
        await boot.until(660)
        boot.link.up.set()
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        assert await boot.until(2000) is UpdateState.QUEUED
        boot.wish(bench.bundles[0], IN_A_MINUTE, renewed=1)
        await boot.until(2100)

    assert live(bench, tmp_path, story).seen[UpdateState.DOWNLOADING] == 2060


def test_a_link_that_is_back_in_time_is_enough(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        boot.link.up.clear()
        await boot.until(600)
        boot.link.up.set()
        await boot.until(700)

    assert live(bench, tmp_path, story).seen[UpdateState.DOWNLOADING] == 600


def test_a_boot_counts_anew_from_when_it_receives_the_wish(bench: Bench, tmp_path: Path) -> None:
    async def first(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(50)

    async def second(boot: Boot) -> None:
        assert await boot.until(500) is UpdateState.QUEUED
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(600)

    live(bench, tmp_path, first)
    assert live(bench, tmp_path, second).seen[UpdateState.DOWNLOADING] == 560


def test_a_canceled_wait_never_begins(bench: Bench, tmp_path: Path) -> None:
    async def story(boot: Boot) -> None:
        boot.wish(bench.bundles[0], IN_A_MINUTE)
        await boot.until(50)
        boot.wish(bench.bundles[0], Policy(cancel=True), renewed=1)
        assert await boot.until(1000) is UpdateState.CANCELED
        assert not boot.link.asked

    live(bench, tmp_path, story)
