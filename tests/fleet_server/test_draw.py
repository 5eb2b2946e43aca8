"""Which stage and arm each device is drawn into."""

import msgspec
import pytest

from fleet_server.draw import Candidate, draw, draw_late
from fleet_server.rollout_policy import Policy, StagePlan
from fleet_server.rollout_state import Arm
from tests.fleet_server.rollout_world import DEVICES, ONE_STAGE, POLICY, seated


def test_stage_shares_cover_every_device_once_and_reproduce() -> None:
    facts = seated(42, POLICY, DEVICES)
    assert sorted(f.device for f in facts) == DEVICES
    assert [sum(f.stage == i for f in facts) for i in range(3)] == [2, 8, 10]
    assert facts == seated(42, POLICY, DEVICES[::-1])
    assert facts != seated(43, POLICY, DEVICES)


def test_a_device_without_a_former_version_is_never_in_the_control_arm() -> None:
    facts = seated(1, msgspec.structs.replace(ONE_STAGE, control=0.5), DEVICES, restorable=False)
    assert {f.arm for f in facts} == {Arm.NEW}


def test_stages_take_devices_by_name_and_by_filter_and_then_by_share() -> None:
    policy = Policy(
        stages=(
            StagePlan(devices=("d1", "d9")),
            StagePlan(where="lab"),
            StagePlan(share=0.6),
            StagePlan(share=1.0),
        ),
        control=0.0,
    )
    lab = {"d1", "d2", "d3"}
    names = [f"d{i}" for i in range(10)]
    candidates = [Candidate(d, True, frozenset([0] * (d in ("d1", "d9")) + [1] * (d in lab))) for d in names]
    stages = {s.device: s.stage for s in draw(1, policy, candidates)}
    assert {d for d, s in stages.items() if s == 0} == {"d1", "d9"}
    assert {d for d, s in stages.items() if s == 1} == {"d2", "d3"}
    assert [list(stages.values()).count(s) for s in (2, 3)] == [2, 4], "0.6 of all are reached with the third"


def test_newcomers_are_spread_like_the_others_and_never_into_the_past() -> None:
    policy = Policy(stages=(0.1, 0.5, 1.0), control=0.2)
    crowd = [Candidate(f"n{i}", True, frozenset()) for i in range(2000)]
    seats = draw_late(1, policy, crowd, 0, {0: 10, 1: 40, 2: 50})
    assert [sum(s.stage == i for s in seats) / 2000 for i in range(3)] == pytest.approx(
        [0.1, 0.4, 0.5], abs=0.03
    )
    assert sum(s.arm is Arm.CONTROL for s in seats) / 2000 == pytest.approx(0.2, abs=0.03)
    assert {s.stage for s in draw_late(1, policy, crowd, 2, {})} == {2}


@pytest.mark.parametrize("stages", [(0.5,), (0.5, 0.1, 1.0), (1.0, 1.0), ()])
def test_a_policy_whose_stages_make_no_sense_is_refused(stages: tuple[float, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"stages": stages}, Policy)
