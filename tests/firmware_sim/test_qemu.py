"""A second opinion: the runtime in QEMU's machines gives the same bytes, and takes as many instructions."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import boards
from converter.image.compiler import compile_image
from firmware_sim import execution, toolchain
from firmware_sim.cores import core_of
from firmware_sim.layout import layout_of
from tests.converter import crafted

HERE = Path(__file__).parent
RUNTIME = Path(toolchain.__file__).parent / "firmware"


class Emulated(NamedTuple):
    """A machine of QEMU's: where its memory is, and the nanoseconds of one SysTick tick."""

    name: str
    board: str
    """One with the same core."""
    flash: int
    ram: int
    tick_ns: float


MACHINES = [
    Emulated("microbit", "rpi-pico", 0, 0x20000000, 1e9 / 16e6),
    Emulated("mps2-an386", "nucleo-l4r5zi", 0, 0x20000000, 1e9 / 25e6),
    Emulated("mps2-an505", "nucleo-u575zi", 0x10000000, 0x38000000, 1e9 / 20e6),
]
every_machine = pytest.mark.parametrize("machine", MACHINES, ids=[machine.name for machine in MACHINES])


@pytest.fixture
def qemu():
    found = shutil.which("qemu-system-arm")
    if found is None:
        pytest.skip("no second opinion: qemu-system-arm is not installed")
    return found


def answers(qemu: str, machine: Emulated, model: bytes, x: np.ndarray, folder: Path):
    """Bytes and ticks of each inference. With -icount shift=0 an instruction is a nanosecond."""
    image, core = compile_image(model), core_of(boards.load(machine.board).target)
    given = folder / "inputs.c"
    values = ",".join(map(str, x.ravel()))
    count = f"const uint32_t input_count = {len(x)};"
    given.write_text(f"#include <stdint.h>\nconst int8_t inputs[] = {{{values}}};\n{count}\n")
    own = [file for file in [*RUNTIME.glob("*.c"), *RUNTIME.glob("*.S")] if file.name != "main.c"]
    layout = layout_of(boards.load(machine.board))._replace(
        flash_origin=machine.flash,
        code_bytes=0x10000,
        slot_origin=machine.flash + 0x10000,
        ram_origin=machine.ram,
        own_ram_bytes=4096,
        arena_origin=machine.ram + 4096,
    )
    elf = toolchain.build(
        core.compiler_cpu,
        {**layout.symbols(), "ARENA_BYTES": image.header.arena_bytes},
        image.data,
        [HERE / "semihosted.c", given, *sorted(own)],
        optimisation=toolchain.OPTIMISATION,
        options=(f"-I{RUNTIME}",),
    )
    command = [qemu, "-M", machine.name, "-kernel", str(elf), "-icount", "shift=0", "-nographic"]
    done = subprocess.run(
        [*command, "-semihosting-config", "enable=on,target=native", "-monitor", "none", "-serial", "none"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    status, *lines = (done.stdout + done.stderr).split("\n")
    assert status == "00000000", done
    pairs = [line.split() for line in lines if line.strip()]
    return [bytes.fromhex(answer) for _, answer in pairs], [int(ticks, 16) for ticks, _ in pairs]


@every_machine
def test_qemu_gives_the_same_bytes(qemu, machine, tmp_path):
    x = np.random.default_rng(4).integers(-128, 128, (5, 8)).astype(np.int8)
    found, _ = answers(qemu, machine, crafted.model(), x, tmp_path)
    here = execution.run(crafted.model(), machine.board, x)
    assert here.execution.bit_exact_with_tflm
    assert found == [answer.tobytes() for answer in here.outputs]


@every_machine
def test_qemu_takes_as_many_instructions_for_keyword_spotting(qemu, machine, tmp_path, shared_models):
    model = (shared_models / "kws" / "kws_ref_model.tflite").read_bytes()
    x = np.random.default_rng(4).integers(-128, 128, (2, 49, 10, 1)).astype(np.int8)
    found, ticks = answers(qemu, machine, model, x, tmp_path)
    here = execution.run(model, machine.board, x)
    assert found == [answer.tobytes() for answer in here.outputs]
    for ours, theirs in zip(here.execution.instructions, ticks, strict=True):
        # The command that starts an inference here, and reading the clock there, are some tens each.
        assert abs(theirs * machine.tick_ns - ours) < 2 * machine.tick_ns + 100
