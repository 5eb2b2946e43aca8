"""``tinyfleet train`` in a process of its own: JSON on stdout, progress on stderr, no more."""

import json
import subprocess
import sys
from pathlib import Path


def test_train_prints_its_run_and_nothing_else(tmp_path: Path):
    arguments = ["train", "watch", "--out", "run", "--groups", "1,", "--epochs", "1", "--width", "4"]
    done = subprocess.run(
        [sys.executable, "-c", "from tinyfleet.cli import main; main()", *arguments, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    data = json.loads(done.stdout)
    assert data["run"] == "run"
    assert data["report"]["split"]["train"]["groups"] == ["1"]
    assert data["report"] == json.loads((tmp_path / "run/run.json").read_bytes())
    first, epoch, last = done.stderr.splitlines()
    assert first.startswith("watch: ")
    assert epoch.startswith("epoch 1/1: loss ")
    assert last.startswith("held-out accuracy ")
