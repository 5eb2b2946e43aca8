"""Virtual rollouts: reproducible, and right where it is clear what is right."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fleet_server.gates.evidence import Failed
from tinyfleet.bench import rollouts, subjects
from tinyfleet.bench.rollouts import POLICY, Case, run_case
from tinyfleet.bench.scenario import HARMLESS, PER_WINDOW, SCENARIOS, make_world
from tinyfleet.bench.virtual import Judge
from tinyfleet.commands.bench import app
from wire.errors import InputError
from wire.states import RolloutState

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
#: Short form of the benchmark: rollouts to 160 devices.
RUNS, DEVICES = 16, 160


@pytest.mark.timeout(400)
def test_false_stops_keep_to_the_promised_alpha_in_whole_rollouts() -> None:
    """With a true rate of alpha, more than 4 of 16 are stopped about once in a thousand runs."""
    endings = [run_case(Case(HARMLESS, "gates", seed, DEVICES)) for seed in range(100, 100 + RUNS)]
    stopped = [ending for ending in endings if ending.state is not RolloutState.FINISHED]
    assert len(stopped) <= 4, f"seeds from 100: {stopped}"
    assert all(ending.exposed == DEVICES for ending in endings if ending not in stopped)


def test_ten_points_of_accuracy_are_seen_long_before_everyone_is_exposed() -> None:
    endings = [run_case(Case(BY_NAME["accuracy_10"], "gates", seed, 500)) for seed in range(100, 106)]
    assert all(ending.reason.startswith("accuracy: ") for ending in endings), endings
    assert np.median([ending.exposed for ending in endings]) <= 100


def test_a_drift_in_both_arms_is_not_blamed_and_a_repeated_test_stops_nearly_everything() -> None:
    drift = BY_NAME["drift"]
    ours = [run_case(Case(drift, "gates", seed, DEVICES)) for seed in range(100, 104)]
    assert [ending.state for ending in ours] == [RolloutState.FINISHED] * 4
    naive = [run_case(Case(HARMLESS, "repeated", seed, DEVICES)) for seed in range(100, 108)]
    assert sum(ending.state is not RolloutState.FINISHED for ending in naive) >= 4


def test_a_fixed_threshold_of_installs_never_sees_what_the_model_does() -> None:
    ending = run_case(Case(BY_NAME["accuracy_10"], "fixed", 100, DEVICES))
    assert (ending.state, ending.exposed) == (RolloutState.FINISHED, DEVICES)


def test_the_same_case_gives_the_same_ending() -> None:
    case = Case(BY_NAME["bricks_5"], "gates", 7, 100)
    assert run_case(case) == run_case(case)


def test_the_planted_loss_is_of_the_new_version_only_and_of_its_size() -> None:
    rng = np.random.default_rng(3)
    world = make_world(rng, subjects.load(), BY_NAME["accuracy_3"], 200, 10)
    means = {
        which: series["accuracy"].totals.sum() / series["accuracy"].weights.sum()
        for which, series in (("old", world.old), ("new", world.new))
    }
    inferences = 200 * 10 * PER_WINDOW
    assert means["old"] - means["new"] == pytest.approx(0.03, abs=4 * (0.03 / inferences) ** 0.5)
    assert world.baseline["accuracy"].mean() == pytest.approx(means["old"], abs=0.05)


def test_where_nothing_was_reported_nothing_is_decided() -> None:
    assert [each.outcome for each in Judge(POLICY).verdicts({}, Failed("failures", 0, 0))] == ["not_yet"] * 2


def test_the_command_saves_what_it_can_draw_again(tmp_path: Path) -> None:
    runner, file, page = CliRunner(), tmp_path / "result.json", tmp_path / "page.md"
    page.write_text("a\n<!-- tinyfleet bench rollout: begin -->\n<!-- tinyfleet bench rollout: end -->\nb\n")
    small = ["rollout", "--runs", "1", "--harmful", "1", "--devices", "20", "--processes", "1"]
    done = runner.invoke(app, [*small, "--save", str(file), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(file.read_text())
    assert {"runs", "alpha", "false_stop_rate", "detected", "baseline"} <= report.keys()
    assert {"rate", "exposed_median", "delay_s_median"} <= report["detected"]["accuracy_10"].keys()
    again = ["rollout", "--saved", str(file), "--page", str(page), "--pictures", str(tmp_path)]
    assert runner.invoke(app, again).exit_code == 0
    assert re.search(r"\| accuracy -10 points \| 1 \|", page.read_text())
    assert (tmp_path / "rollouts-exposure.svg").read_text().startswith("<svg")


def test_a_result_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(InputError, match="make one with --save"):
        rollouts.load(tmp_path / "x.json")
