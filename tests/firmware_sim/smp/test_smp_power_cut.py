"""The power goes at every flash operation, and inside it, of what a client has done to a board by SMP."""

import msgspec
import pytest

import boards
from converter.execution import execute
from firmware_sim.power import Cut, Power, PowerCut
from firmware_sim.smp import mcuboot
from tests.firmware_sim.smp.rig import WINDOWS, Asked
from tests.firmware_sim.smp.wrapping import NEW, OLD, image, wrap
from wire.states import NumericsFamily

#: Sectors and words of three kinds of flash, with slots of two sectors: what is enumerated is counted.
BOARDS = [
    msgspec.structs.replace(board, slot_bytes=2 * board.flash_sector_bytes)
    for board in map(boards.load, ("rpi-pico", "nano33ble", "nucleo-u575zi"))
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The new model and the old one again, wrapped."""
    folder = tmp_path_factory.mktemp("cuts")
    return [wrap(folder, image(model), "2.0.0").read_bytes() for model in (NEW, OLD)]


@pytest.fixture(scope="module")
def answers():
    """By tflite-micro, of the old and of the new model."""
    one, two = (execute(NumericsFamily.TFLM, model, WINDOWS[:, 0]).outputs.tobytes() for model in (OLD, NEW))
    return {one: "old", two: "new"}


def life(asked, files, confirmed):
    """Two updates, the second never confirmed; ``confirmed`` gets what may answer from then on."""
    new, old = files
    asked.upload(new)
    asked.mark(mcuboot.read(new).sha256)
    asked.reset()
    confirmed.append({"old", "new"})
    asked.mark(confirm=True)
    confirmed.append({"new"})
    asked.reset()
    asked.upload(old)
    asked.mark(mcuboot.read(old).sha256)
    asked.reset()
    asked.reset()


def settled(asked, answers):
    """What answers once no trial is open: nobody says a word any more."""
    if asked.board.record.pending != "nothing" or not asked.board.record.confirmed:
        asked.reset()
    if not asked.board.record.confirmed:
        asked.reset()
    return answers[asked.outputs()]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_power_cut_anywhere_leaves_a_confirmed_model_that_answers(board, files, answers):
    flashed = Asked(board=board)
    fresh = flashed.board.slots.flash
    operations = count(fresh, board, files)
    cases = 0
    for number in range(1, operations + 1):
        for cut in Cut:
            flash, confirmed = fresh.copy(), [{"old"}]
            flash.power_on(Power(lambda now, number=number, cut=cut: cut if now == number else None))
            with pytest.raises(PowerCut):
                life(Asked(board=board, flash=flash), files, confirmed)
            flash.power_on(Power())
            after = Asked(board=board, flash=flash)
            assert answers[after.outputs()] in {"old", "new"}
            assert settled(after, answers) in confirmed[-1], (number, cut)
            updates_again(after, files, answers)
            assert flash.faults == 0
            cases += 1
    print(f"{board.name}: {operations} flash operations, {cases} cuts")
    assert cases == 4 * operations > 80


def count(fresh, board, files):
    flash = fresh.copy()
    flash.power_on(Power())
    life(Asked(board=board, flash=flash), files, [])
    return flash.power.operations


def updates_again(asked, files, answers):
    """Whatever was left behind, the next update works."""
    file = files[0] if answers[asked.outputs()] == "old" else files[1]
    wanted = {"old": "new", "new": "old"}[answers[asked.outputs()]]
    assert asked.upload(file).match
    asked.mark(mcuboot.read(file).sha256)
    asked.reset()
    asked.mark(confirm=True)
    assert answers[asked.outputs()] == wanted


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_power_cut_in_an_upload_leaves_nothing_that_could_be_tried(board, files):
    """Not even where all of it reads well: it might not at the next boot."""
    fresh = Asked(board=board).board.slots.flash
    reads_well = 0
    for number, cut in uploads(fresh, board, files[0]):
        flash = fresh.copy()
        flash.power_on(Power(lambda now, number=number, cut=cut: cut if now == number else None))
        with pytest.raises(PowerCut):
            Asked(board=board, flash=flash).upload(files[0])
        flash.power_on(Power())
        after = Asked(board=board, flash=flash)
        assert [state.slot for state in after.states()] == [0], (number, cut)
        reads_well += after.board.slots.read(1).startswith(files[0])
    assert reads_well


def uploads(fresh, board, file):
    """Every cut from power-on to the last byte; the operation behind that is the record that it is whole."""
    flash = fresh.copy()
    flash.power_on(Power())
    Asked(board=board, flash=flash).upload(file)
    return [(number, cut) for number in range(1, flash.power.operations) for cut in Cut]
