"""gdb loads the flash into QEMU as it would over SWD into a board, and the model answers there."""

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

import boards
from converter.execution import execute
from firmware_sim.flashing.firmware import flash_firmware
from tests.firmware_sim.smp.rig import WINDOWS
from tests.firmware_sim.smp.wrapping import OLD, image
from wire.states import NumericsFamily

#: QEMU has none of our boards: the same runtime, linked for a Cortex-M4 board of Arm's that it has.
BOARD = msgspec.structs.replace(
    boards.load("nucleo-l4r5zi"), name="mps2-an386", flash_origin=0, ram_origin=0x20000000
)
QEMU = [
    "qemu-system-arm",
    "-M",
    "mps2-an386",
    "-display",
    "none",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-S",
]


@pytest.fixture
def target(tmp_path):
    """Where a halted QEMU listens for gdb."""
    for program in (QEMU[0], "gdb-multiarch"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} (apt-get install {program})")
    socket, pid = tmp_path / "gdb", tmp_path / "pid"
    words = ["-gdb", f"unix:{socket},server=on,wait=off", "-daemonize", "-pidfile", str(pid)]
    # It returns once it listens.
    subprocess.run([*QEMU, *words], check=True, timeout=60)
    yield socket
    subprocess.run(["kill", pid.read_text().strip()], check=True)


#: What docs/flashing.md tells to type, with the names of the files.
SESSION = """
target remote TARGET
load
compare-sections
monitor system_reset
break wait_for_host
continue
set var mailbox.command = 1
set var mailbox.image = &image_start
set var mailbox.slot_bytes = BYTES
continue
print mailbox.status
set var $header = (image_header *)&image_start
set var $input = (unsigned)&arena_start + $header->input_at
restore INPUT binary $input
set var mailbox.command = 2
continue
set var $output = (char *)&arena_start + $header->output_at
dump binary memory OUTPUT $output $output+$header->output_bytes
"""


def test_gdb_loads_compares_and_runs_it_bit_exactly(target, tmp_path):
    (tmp_path / "input").write_bytes(WINDOWS[0].tobytes())
    names = {
        "TARGET": target,
        "BYTES": len(image(OLD)),
        "INPUT": tmp_path / "input",
        "OUTPUT": tmp_path / "output",
    }
    script = SESSION
    for name, value in names.items():
        script = script.replace(name, str(value))
    words = [word for line in script.splitlines() for word in ("-ex", line)]
    command = ["gdb-multiarch", "-nx", "-batch", *words, str(flash_firmware(BOARD, image(OLD), 0))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MIS-MATCHED" not in done.stdout
    assert done.stdout.count("matched") >= 3
    assert "$1 = 0" in done.stdout
    wanted = execute(NumericsFamily.TFLM, OLD, WINDOWS[:1, 0]).outputs.tobytes()
    assert (tmp_path / "output").read_bytes() == wanted


def test_the_page_has_the_session():
    """All but the connection, which is another with a board."""
    page = (Path(__file__).parents[3] / "docs" / "flashing.md").read_text("utf-8")
    told = [line.strip() for line in page.splitlines()]
    assert [line for line in SESSION.split("monitor system_reset")[1].split("\n") if line not in told] == []
