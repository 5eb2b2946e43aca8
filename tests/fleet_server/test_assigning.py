"""Who is told when: pace, maintenance windows, retries, approval, and other rollouts' devices."""

from itertools import pairwise

import msgspec

from fleet_server import rollout as engine
from fleet_server import rollout_commands as commands
from fleet_server.rollout_policy import MaintenanceWindow, Pace, Policy, Retry, StagePlan
from fleet_server.rollout_state import Fact, Reschedule, Settle
from tests.fleet_server.rollout_world import (
    DEVICES,
    ONE_STAGE,
    POLICY,
    World,
    confirm_all,
    member_at,
    rollout_of,
)
from wire.states import UpdateState


def test_a_stage_that_needs_approval_tells_nobody_before() -> None:
    policy = Policy(stages=(StagePlan(share=1.0, approval=True),), control=0.0)
    world = World(policy, DEVICES)
    for _ in range(5):
        assert world.tick(100) == []
    assert world.rollout.reason == "stage 1 of 1 waits for approval"
    world.rollout = commands.approve(world.rollout)
    assert len(world.tick(1)) == 20
    assert world.rollout.reason == ""


def test_the_pace_grows_with_devices_that_went_well() -> None:
    policy = msgspec.structs.replace(
        ONE_STAGE, pace=Pace(per_minute=6, factor=2, every=5, most_per_minute=24)
    )
    world = World(policy, DEVICES)
    told_at = []
    for second in range(150):
        told_at += [second] * len([a for a in world.tick(1) if not isinstance(a, Settle)])
        confirm_all(world)
    assert len(told_at) == 20
    gaps = [b - a for a, b in pairwise(told_at)]
    assert gaps[:4] == [10, 10, 10, 10]
    assert gaps[5:9] == [5, 5, 5, 5]
    assert set(gaps[10:]) <= {2, 3}


def test_wishes_wait_for_the_next_window_and_are_renewed_when_it_opens() -> None:
    window = MaintenanceWindow(starts_in_s=0, length_s=60, every_s=600)
    world = World(msgspec.structs.replace(ONE_STAGE, windows=(window,)), ["d1"])
    assert len(world.tick(10)) == 1
    (held,) = world.tick(50)  # not begun when the window closes
    assert isinstance(held, Reschedule)
    assert (held.opening.opens_at, held.opening.closes_at) == (1600, 1660)
    for _ in range(5):
        assert world.tick(100) == [], "its deadline does not run meanwhile"
    (opened,) = world.tick(50)
    assert isinstance(opened, Reschedule)
    assert not world.facts["d1"].held
    assert world.tick(1) == []


def test_a_device_that_lost_its_link_is_tried_again_later_and_later() -> None:
    policy = msgspec.structs.replace(ONE_STAGE, retry=Retry(times=2, after_s=10))
    world = World(policy, ["d1"])
    told_at = []
    for _ in range(60):
        if world.tick(1) and world.facts["d1"].state is UpdateState.QUEUED:
            told_at.append(world.now - world.began)
            world.change("d1", state=UpdateState.FAILED, reason="link_lost")
    assert told_at == [1, 11, 31]
    assert world.rollout.reason == "link_lost on 1 of 1 devices in stage 1 of 1"


def test_a_skipped_stage_takes_its_untold_devices_along() -> None:
    policy = msgspec.structs.replace(POLICY, pace=Pace(per_minute=1))
    world = World(policy, DEVICES)
    world.tick(1)
    world.rollout = commands.skip(world.rollout)
    world.tick(1)
    assert world.rollout.current == 1
    world.tick(1)
    assert sorted(f.stage for f in world.facts.values())[:2] == [0, 1], "one was told, one goes along"


def test_where_two_rollouts_want_a_device_the_later_one_waits_until_the_first_is_done() -> None:
    rollout = rollout_of(ONE_STAGE)
    assert engine.wants(rollout, Fact(device="d1", stage=0))
    assert engine.wants(rollout, member_at(UpdateState.CONFIRMED)), "still to be observed"
    assert not engine.wants(rollout, member_at(UpdateState.SUCCEEDED))
    assert not engine.wants(rollout, member_at(UpdateState.TIMED_OUT)), "a stuck device blocks nobody"
    blocked = [Fact(device="d1", stage=0, blocked=True)]
    assert engine.advance(rollout, blocked, (), 1)[1] == []
    taken = [member_at(UpdateState.DOWNLOADING, away=True, blocked=True)]
    assert engine.advance(rollout, taken, (), 1000)[1] == [], "a superseded attempt is not late"
    freed = [member_at(UpdateState.DOWNLOADING, away=True)]
    assert len(engine.advance(rollout, freed, (), 1000)[1]) == 1, "it is told again"
    overtaken = [member_at(UpdateState.DOWNLOADING, away=True, overtaken=True)]
    assert engine.advance(rollout, overtaken, (), 1000)[1] == [], "never back to an older version"
