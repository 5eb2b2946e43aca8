"""Why a rollout is where it is, said so that a person knows what to do."""

import msgspec
import pytest

from fleet_server.explanation import explain
from fleet_server.gates.judgement import Judgement
from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import Arm, Fact, Rollout, create
from wire.messages import ModelRef
from wire.states import RolloutState, StageState, UpdateState

BUNDLE = ModelRef(model="watch", version=2, digest="a" * 64)
NOW = 1000.0


def _rollout(stage_state: StageState = StageState.RUNNING, policy: dict | None = None, **changes) -> Rollout:
    made = create(7, BUNDLE, msgspec.convert(policy or {}, Policy))
    stages = list(made.stages)
    stages[0] = msgspec.structs.replace(stages[0], state=stage_state, soaking_at=NOW - 100, devices=3)
    fields = {"state": RolloutState.RUNNING, "started_at": NOW - 500, "stages": tuple(stages), **changes}
    return msgspec.structs.replace(made, **fields)


def _fact(name: str, state: UpdateState | None = None, **changes) -> Fact:
    issued = {} if state is None else {"issued_at": NOW - 50, "attempts": 1}
    return Fact(device=name, stage=0, state=state, **issued, **changes)


def _said(rollout: Rollout, *facts: Fact, judgements=()) -> str:
    return "\n".join(explain(rollout, facts, judgements, NOW))


def test_who_is_waited_for_is_counted_by_what_they_do() -> None:
    said = _said(
        _rollout(),
        _fact("a"),
        _fact("b", UpdateState.QUEUED),
        _fact("c", UpdateState.DOWNLOADING, reached_at=NOW - 40),
        _fact("d", UpdateState.CONFIRMED, reached_at=NOW - 40),
        _fact("e", UpdateState.CONFIRMED, reached_at=NOW - 9000),
        _fact("held", arm=Arm.CONTROL),
    )
    assert said.startswith("watch v2 is running, stage 1 of 3.\n")
    assert "Of its 5 devices: " in said
    for part in ("1 not told yet", "1 told but offline since", "1 at work (1 downloading)",
                 "2 confirmed but not seen working yet", "1 past their deadline"):  # fmt: skip
        assert part in said


def test_a_retry_a_failure_and_a_higher_rollout_are_told() -> None:
    said = _said(
        _rollout(),
        _fact("a", UpdateState.FAILED, reason="link_lost", updated_at=NOW),
        _fact("b", UpdateState.ROLLED_BACK, reason="self_test"),
        _fact("c", blocked=True),
    )
    assert "1 waiting to try again" in said
    assert "1 wanted by a rollout of higher priority" in said
    assert "Failed: 1 self_test." in said


@pytest.mark.parametrize(
    ("rollout", "line"),
    [
        (
            _rollout(policy={"stages": [{"share": 1.0, "approval": True}]}),
            "It waits for approval of stage 1 of 1: tinyfleet rollout approve 7.",
        ),
        (
            _rollout(policy={"windows": [{"starts_in_s": 600, "length_s": 60}]}),
            "It waits for the next maintenance window, in 100 s.",
        ),
        (
            _rollout(policy={"windows": [{"length_s": 600}]}),
            "The maintenance window is open for another 100 s.",
        ),
        (
            _rollout(policy={"windows": [{"length_s": 60}]}),
            "No maintenance window is left: nobody else will be told.",
        ),
        (
            _rollout(StageState.SOAKING),
            "Every device that can be reached has settled; the stage is being watched for another 500 s.",
        ),
        (
            _rollout(StageState.SOAKING, {"soak_s": 10}),
            "Every device that can be reached has settled; the stage has been watched long enough.",
        ),
    ],
)
def test_what_holds_a_stage_up_is_said_in_a_sentence(rollout: Rollout, line: str) -> None:
    assert line in explain(rollout, [], [], NOW)


def test_a_stopped_rollout_says_why_and_how_far_it_is_undone() -> None:
    rollout = _rollout(state=RolloutState.ROLLING_BACK, reason="accuracy: 9 points worse")
    said = _said(
        rollout,
        _fact("a", UpdateState.CONFIRMED, restored=UpdateState.QUEUED),
        _fact("b", UpdateState.CONFIRMED),
        _fact("c"),
    )
    assert said.startswith("watch v2 is being rolled back: accuracy: 9 points worse.\n")
    assert "1 of 2 exposed devices has been told to run its former version." in said


def test_gates_are_told_with_what_they_say_and_those_without_data_by_name() -> None:
    judgement = Judgement(gate="accuracy", outcome="fail", reason="9 points worse", level=0.01, log_e=5.0)
    said = _said(_rollout(), judgements=[judgement])
    assert "Gate accuracy: harm shown; 9 points worse." in said
    assert "Gates without data: failures, crashes, errors, latency" in said


@pytest.mark.parametrize(
    ("outcome", "line"),
    [("pass", "Gate accuracy: shown to hold; x."), ("not_yet", "Gate accuracy: no harm shown; x.")],
)
def test_a_gate_says_whether_it_is_sure(outcome, line: str) -> None:
    judgement = Judgement(gate="accuracy", outcome=outcome, reason="x", level=0.01, log_e=0.0)
    assert line in explain(_rollout(), [], [judgement], NOW)


def test_a_rollout_that_is_paused_for_want_of_proof_says_of_which_gate() -> None:
    reason = "stage 1 of 3 needs attention, no proof from accuracy: no labels"
    paused = _rollout(StageState.SOAKING, {"soak_s": 10}, state=RolloutState.PAUSED, reason=reason)
    assert _said(paused).startswith(f"watch v2 is paused: {reason}.\n")


def test_a_finished_rollout_is_one_sentence() -> None:
    finished = _rollout(state=RolloutState.FINISHED, reason="all stages passed")
    assert _said(finished, _fact("a", UpdateState.SUCCEEDED)) == "watch v2 is finished: all stages passed."
