"""The whole loop as a user runs it: real training, broker and processes, and what the JSON promises."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "tinyfleet", "demo", "--exit", "--json", "--port", "0", "--dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr, "folder": folder}


@pytest.mark.timeout(420)
def test_end_to_end_good_versions_are_confirmed_everywhere(demo: dict) -> None:
    assert demo["devices"] == 22
    assert sum(demo["boards"].values()) == 22
    for version in ("1", "2"):
        assert demo["versions"][version]["confirmed"] == 22
        assert demo["versions"][version]["rolled_back"] == demo["versions"][version]["failed"] == 0
    assert demo["running"] == {"5": 22}


def test_end_to_end_the_broken_version_is_undone_where_it_went_and_goes_nowhere_else(demo: dict) -> None:
    broken = demo["rollouts"][2]
    assert broken["result"] == "stopped"
    assert 0 < broken["exposed"] <= 3
    assert demo["versions"]["3"] == {
        "confirmed": 0,
        "failed": 0,
        "rolled_back": broken["exposed"],
        "reasons": {"self_test": broken["exposed"]},
    }
    assert broken["restored"] == broken["exposed"]
    assert broken["restore_downloaded_bytes"] == 0
    assert [alert["severity"] for alert in demo["alerts"]] == ["critical", "critical"]


def test_end_to_end_a_version_that_is_worse_in_the_field_is_caught_by_the_accuracy_gate(demo: dict) -> None:
    """It passes its self-test on every device, and is undone in its first stage without a download."""
    worse = demo["rollouts"][3]
    assert worse["result"] == "stopped"
    assert re.match(r"accuracy: \d+ points worse on \d+ new than on 8 control", worse["reason"])
    assert worse["exposed"] == worse["restored"] == demo["versions"]["4"]["confirmed"] == 7
    assert worse["restore_downloaded_bytes"] == 0
    assert demo["accuracy"]["4"] < demo["accuracy"]["2"] - 0.3


def test_end_to_end_a_drift_that_hits_both_arms_is_not_blamed_on_the_version(demo: dict) -> None:
    last = demo["rollouts"][4]
    assert (last["result"], last["reason"]) == ("finished", "all stages passed")
    for version in ("2", "5"):
        drifted = demo["drift"][version]
        assert drifted["n"] > 500
        assert drifted["correct"] / drifted["n"] < demo["accuracy"]["2"] - 0.2
    assert demo["versions"]["5"]["confirmed"] == 22


def test_end_to_end_reported_accuracy_is_that_of_the_shipped_file(demo: dict) -> None:
    for version in ("1", "2", "4", "5"):
        check = demo["accuracy_check"][version]
        assert check["reported"] == check["recomputed"]
        assert check["differing_windows"] == 0
        assert check["reported"]["n"] > 100
        reported = check["reported"]["correct"] / check["reported"]["n"]
        assert demo["accuracy"][version] == pytest.approx(reported)
    assert 0.6 < demo["accuracy"]["1"] < demo["accuracy"]["2"] < 0.95, "honest, by subject: .97 is a leak"


def test_end_to_end_the_demo_is_under_five_minutes_and_shows_its_steps(demo: dict) -> None:
    assert demo["seconds"] < 300
    assert "roll v3 out" in demo["stderr"]
    assert "Traceback" not in demo["stderr"]


def test_end_to_end_a_folder_that_is_not_a_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    done = subprocess.run(
        [sys.executable, "-m", "tinyfleet", "demo", "--exit", "--dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "is not empty and not a former demo" in done.stderr
    assert (tmp_path / "precious").read_text() == "data"
