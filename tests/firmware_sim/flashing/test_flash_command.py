"""``tinyfleet flash`` as a user runs it."""

import json
import subprocess
import sys

import pytest

from firmware_sim.flashing.drive import INFO_FILE
from tests.device_agent.small_bundle import Keys, make_bundle
from tests.firmware_sim.flashing.contents import content
from tests.firmware_sim.smp.test_smpmgr_end_to_end import powered
from tests.firmware_sim.smp.wrapping import NEW, OLD, image
from wire.errors import ExitCode
from wire.manifest import MANIFEST_FILE, MODEL_FILE
from wire.part import Part, split_part


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(OLD)
    return file


def flash(folder, *words):
    command = [sys.executable, "-m", "tinyfleet", "flash", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Tools run in folders of their own."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))


def test_a_file_and_where_its_parts_go(tmp_path, model):
    done = flash(tmp_path, model, "--board", "rpi-pico", "--out", "a.uf2", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(part["address"], part["bytes"]) for part in told["regions"]] == [
        (region.address, len(region.data)) for region in content("rpi-pico")
    ]
    assert told["image_bytes"] == len(image(OLD))
    assert (tmp_path / "a.uf2").stat().st_size % 512 == 0


def test_a_model_image_is_taken_as_it_is(tmp_path):
    file = tmp_path / "model.img"
    file.write_bytes(image(OLD))
    done = flash(tmp_path, file, "--board", "nucleo-l4r5zi", "--model-only", "--out", "m.bin")
    assert (done.returncode, done.stdout) == (0, "m.bin\n"), done.stderr
    assert (tmp_path / "m.bin").read_bytes() == image(OLD)


@pytest.fixture
def bundle(tmp_path):
    made = make_bundle(Keys(tmp_path / "trust"), 1)
    whole = Part(0, tuple(made.manifest.device_files))
    files = split_part(whole, made.payload) | {MANIFEST_FILE: made.artifact.manifest.encode()}
    for name, data in files.items():
        file = tmp_path / "bundle" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "bundle"


def test_a_bundle_is_taken_too(tmp_path, bundle):
    done = flash(tmp_path, bundle, "--board", "nucleo-l4r5zi", "--model-only", "--out", "m.bin")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.bin").read_bytes() == image(OLD)


def test_a_bundle_with_another_file_than_its_manifest_names_is_refused(tmp_path, bundle):
    (bundle / MODEL_FILE).write_bytes(NEW)
    done = flash(tmp_path, bundle, "--board", "nucleo-l4r5zi", "--out", "m.bin")
    assert done.returncode == ExitCode.REFUSED
    assert not (tmp_path / "m.bin").exists()


def test_a_drive_gets_the_file(tmp_path, model):
    drive = tmp_path / "RPI-RP2"
    drive.mkdir()
    (drive / INFO_FILE).write_text("Board-ID: RPI-RP2\n")
    done = flash(tmp_path, model, "--board", "rpi-pico", "--to", drive)
    assert done.returncode == 0, done.stderr
    assert (drive / "model-rpi-pico.uf2").read_bytes() == (tmp_path / "model-rpi-pico.uf2").read_bytes()


def test_a_wrong_drive_gets_nothing_and_no_file_is_made(tmp_path, model):
    done = flash(tmp_path, model, "--board", "rpi-pico", "--to", tmp_path)
    assert done.returncode == ExitCode.NOT_FOUND
    assert done.stderr.count("\n") == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.tflite"]


def test_a_dry_run_prints_the_commands_and_does_nothing(tmp_path, model):
    done = flash(tmp_path, model, "--board", "nano33ble", "--tool", "pyocd", "--dry-run")
    assert done.stdout == "pyocd flash --no-wait --target nrf52840 model-nano33ble.hex\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.tflite"]


def test_a_tools_failure_is_its_last_words(tmp_path, model):
    done = flash(tmp_path, model, "--board", "nano33ble", "--tool", "pyocd")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "+ pyocd flash" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tinyfleet: pyocd failed: ")


def test_end_to_end_smpmgr_is_driven_to_a_board_and_what_is_printed_next_works(tmp_path, model):
    new = tmp_path / "new.tflite"
    new.write_bytes(NEW)
    with powered(model, "nano33ble") as board:
        words = (
            "--board",
            "nano33ble",
            "--tool",
            "smpmgr",
            "--port",
            board.address,
            "--image-version",
            "4.5.6",
        )
        done = flash(tmp_path, new, *words)
        assert done.returncode == 0, done.stderr
        (try_it,) = [line for line in done.stderr.splitlines() if line.startswith("uploaded.")]
        for line in try_it.split(": ", 1)[1].split(" && "):
            board.smpmgr(*line.split()[3:])
        assert board.active() == ("4.5.6", False)
