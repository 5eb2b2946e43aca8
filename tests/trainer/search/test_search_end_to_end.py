"""A real search with real measurements: what does not fit is not trained, what is best can be shipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EXPIRES

BOARDS = "nucleo-l4r5zi,rpi-pico"
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Its folder and what the command printed: three trials, the first of which is too slow."""
    out = tmp_path_factory.mktemp("search") / "study"
    arguments = ["train", "watch", "--groups", "2", "--epochs", "1", "--trials", "3", "--jobs", "2"]
    arguments += ["--board", BOARDS, "--max-latency-ms", "8", "--quantise", "int8", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "tinyfleet", *arguments, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)["result"], done.stderr


def test_end_to_end_a_network_that_does_not_fit_is_measured_and_never_trained(study):
    out, found, heard = study
    first = next(row for row in found["trials"] if row["hyperparameters"]["width"] == 16)
    assert first["state"] == "infeasible"
    assert not first["trained"]
    assert first["reason"].startswith("rpi-pico: latency of ")
    assert 8 < first["untrained"]["boards"]["rpi-pico"]["latency_ms"] < 9
    assert first["untrained"]["boards"]["rpi-pico"]["latency_of"] == "emulated core, estimated cycles"
    assert not (out / f"trials/{first['number']:04d}/run").exists()
    assert "not trained: rpi-pico: latency of" in heard


def test_end_to_end_what_is_learnt_moves_memory_and_latency_hardly_at_all(study):
    trained = [row for row in study[1]["trials"] if row["trained"]]
    assert trained
    for row in trained:
        for name, after in row["measured"]["boards"].items():
            before = row["untrained"]["boards"][name]
            # What is learnt decides how some constants are stored: a few of TFLM's steps of 16 bytes.
            assert abs(before["ram_bytes"] - after["ram_bytes"]) <= 128
            assert before["latency_ms"] == pytest.approx(after["latency_ms"], rel=0.01)


def test_end_to_end_the_chosen_run_converts_to_what_was_measured(study, trust_dir, tmp_path):
    from converter.conversion import convert
    from wire.trust import load_key

    out, found, _ = study
    row = next(row for row in found["trials"] if row["number"] == found["chosen"])
    run = json.loads((out / "best/run.json").read_bytes())
    assert run["model_sha256"] == row["model_sha256"]
    assert run["metrics"] == found["metrics"]
    assert 0.2 < run["metrics"]["test_accuracy"] < 0.95
    signer = load_key((trust_dir / "release.key").read_bytes())
    made = convert(out / "best", tmp_path / "bundle", signer=signer, expires=EXPIRES, max_drop=1.0)
    for name in BOARDS.split(","):
        fit = made.report.fits[name]
        assert fit.ram_bytes == row["measured"]["boards"][name]["ram_bytes"]
        # Golden inputs are chosen of other windows, of the same number.
        assert fit.flash_bytes == row["measured"]["boards"][name]["flash_bytes"]


def test_end_to_end_only_the_chosen_run_saw_the_held_out_groups(study):
    out, found, _ = study
    for file in out.glob("trials/*/run/run.json"):
        run = json.loads(file.read_bytes())
        assert run["metrics"]["test_accuracy"] is None
        assert run["confusion"] == []
    assert json.loads((out / "study.json").read_bytes()) == found


def test_end_to_end_the_picture_and_the_folder_are_whole(study):
    out, found, _ = study
    assert {file.name for file in out.iterdir()} == {
        "best", "owner", "pareto.svg", "samples", "study.db", "study.json", "trials",
    }  # fmt: skip
    text = (out / "pareto.svg").read_text()
    assert f"watch: {len(found['trials'])} trials" in text
    assert "latency, ms, worst of 2 boards" in text
    assert not list(Path(out).rglob("untrained"))
