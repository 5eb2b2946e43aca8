"""The closed loop as a user runs it: a change of the world, an alert, samples, retraining, recovery."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(700)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    command = ["demo", "--scenario", "drift", "--exit", "--json", "--port", "0", "--dir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tinyfleet", *command],
        capture_output=True,
        text=True,
        timeout=680,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "folder": folder}


def test_end_to_end_the_alert_names_the_devices_whose_sensors_were_put_back_otherwise(demo: dict) -> None:
    alert = demo["loop"]["alert"]
    remounted = {f"mcu-{i:04}" for i in range(20) if int((i + 1) * 0.45) > int(i * 0.45)}
    assert len(remounted) == 9
    assert len(remounted & set(alert["devices"])) >= 7
    assert len(set(alert["devices"]) - remounted) <= 3
    assert abs(alert["since"] - demo["loop"]["remounted_at"]) < 40
    assert alert["changed"]
    assert "retrain" in alert["advice"]


def test_end_to_end_accuracy_falls_and_comes_back_with_the_retrained_version(demo: dict) -> None:
    loop, curve = demo["loop"], demo["curve"]

    def mean(begin: float, end: float) -> float:
        found = [p["remounted"] for p in curve if begin <= p["at_s"] < end and p["remounted"] is not None]
        return sum(found) / len(found)

    alerted, done = (loop[name] - loop["remounted_at"] for name in ("alerted_at", "rolled_out_at"))
    before, during, after = mean(-60, 0), mean(10, alerted + 10), mean(done, done + 1e6)
    assert during < before - 0.2
    assert after > during + 0.2
    assert demo["versions"]["5"]["confirmed"] == demo["devices"]
    assert (demo["folder"] / "accuracy.svg").read_text().startswith("<svg")


def test_end_to_end_the_new_version_was_judged_on_devices_that_gave_no_training_samples(demo: dict) -> None:
    made = demo["loop"]["retrained"]
    assert made["field"]["difference"] > 0.1
    assert made["field"]["groups"] >= 3
    assert made["old"]["difference"] > -0.05
    assert made["parent"] != made["dataset"]


def test_end_to_end_lineage_answers_both_ways(demo: dict) -> None:
    first, second = demo["loop"]["device_lineage"]["chain"][:2]
    assert first["version"] == 5
    assert first["data"]["parent"] == second["data"]["digest"]
    assert first["data"]["field"]["alert"] == demo["loop"]["alert"]["id"]
    (version,) = demo["loop"]["sample_lineage"]["versions"]
    assert version["version"] == 5
    assert len(version["running"]) == demo["devices"]


def test_end_to_end_reported_accuracy_is_that_of_the_shipped_file(demo: dict) -> None:
    """Of every window of a sensor that is as the recording has it."""
    for version, check in demo["accuracy_check"].items():
        assert check["reported"] == check["recomputed"], version
