"""How a simulated microcontroller runs a model image.

It answers with the firmware's runtime on the host, whose bytes are those of the emulated core (tests prove
it), and takes the time that the emulated core is estimated to take at the board's clock. That time hardly
depends on the input, so it is counted once for each image and board.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import boards
from firmware_sim import cycles, toolchain
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.native import ImageInterpreter
from firmware_sim.profile import Profiler
from firmware_sim.tally import Tally
from wire.errors import RefusedError
from wire.image import read_header
from wire.states import NumericsFamily, Reason

RUNTIME: Final = "tinyfleet image runtime 1"
"""What devices say they run."""
_NS_OF_MHZ: Final = 1000


class BoardRuntime:
    """Opens images for one board; an ``Opener``."""

    def __init__(self, board_name: str) -> None:
        self._board_name = board_name

    def __call__(self, _numerics: NumericsFamily, image: bytes, arena_bytes: int | None) -> ImageInterpreter:
        """RefusedError when the image is damaged or does not link into the board, or the core faults."""
        return ImageInterpreter(image, arena_bytes, latency_ns(image, self._board_name))


@cache
def latency_ns(image: bytes, board_name: str) -> int:
    """Of one inference of zeros on the emulated core; RefusedError as for ``BoardRuntime``."""
    board = boards.load(board_name)
    core, layout = core_of(board.target), layout_of(board)
    header = read_header(image)
    symbols = {**layout.symbols(), "ARENA_BYTES": header.arena_bytes}
    machine = Machine(core, layout, read_elf(toolchain.firmware(core.compiler_cpu, symbols, image)))
    machine.bind(layout.slot_origin, len(image))
    profiler = Profiler(machine, header.ops)
    machine.write(machine.elf.symbols["arena_start"] + header.input_at, bytes(header.input_bytes))
    machine.invoke()
    operators = tuple(str(place) for place in range(header.ops))
    spent = Tally(cycles.table_of(board.target), operators).operators(profiler.take())
    profiler.stop()
    total = sum(operator.cycles_estimated for operator in spent)
    if not total:
        raise RefusedError(Reason.RUNTIME_REFUSED, "the image computes nothing", "convert it again")
    return round(total * _NS_OF_MHZ / board.clock_mhz)
