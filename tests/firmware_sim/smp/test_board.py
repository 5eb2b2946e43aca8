"""The boot loader of a simulated board: what boots answers bit-exactly, what does not come up goes back."""

import struct

import pytest

from converter.execution import execute
from firmware_sim.partitions import partitions_of
from firmware_sim.smp import mcuboot
from firmware_sim.smp.key import read_public_key
from tests.firmware_sim.smp.rig import WINDOWS, Asked
from tests.firmware_sim.smp.wrapping import NEW, OLD, image, imgtool, wrap
from wire.errors import RefusedError
from wire.image import HEADER_BYTES, read_header, seal
from wire.states import NumericsFamily


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def tflm():
    """Outputs of the old and of the new model, by tflite-micro."""
    return [execute(NumericsFamily.TFLM, model, WINDOWS[:, 0]).outputs.tobytes() for model in (OLD, NEW)]


def wrapped(folder, content, *options):
    data = wrap(folder, content, "2.0.1", *options).read_bytes()
    return data, mcuboot.read(data).sha256


def on_trial(asked, data, sha256):
    assert asked.upload(data).match
    asked.mark(sha256)
    asked.reset()


def with_an_operator_that_no_firmware_has(content: bytes) -> bytes:
    header = read_header(content)
    body = bytearray(content[HEADER_BYTES:])
    struct.pack_into("<H", body, header.ops_at - HEADER_BYTES, 999)
    return seal(header, bytes(body))


def test_a_flashed_board_answers_as_tflm_does(tflm):
    assert Asked().outputs() == tflm[0]


def test_an_uploaded_image_answers_as_tflm_does_and_stays_once_confirmed(folder, tflm):
    asked = Asked()
    on_trial(asked, *wrapped(folder, image(NEW)))
    assert asked.outputs() == tflm[1]
    asked.mark(confirm=True)
    asked.reset()
    assert asked.outputs() == tflm[1]
    assert [state.slot for state in asked.states() if state.active and state.confirmed] == [1]


def test_a_trial_without_a_word_goes_back_at_the_next_reset(folder, tflm):
    asked = Asked()
    on_trial(asked, *wrapped(folder, image(NEW)))
    asked.reset()
    assert asked.outputs() == tflm[0]
    assert [state.slot for state in asked.states() if state.active and state.confirmed] == [0]


def test_a_third_image_takes_the_place_of_the_first(folder, tflm):
    asked = Asked()
    for model in (NEW, OLD):
        on_trial(asked, *wrapped(folder, image(model)))
        asked.mark(confirm=True)
    assert asked.outputs() == tflm[0]
    assert [(state.slot, state.version) for state in asked.states()] == [(0, "2.0.1"), (1, "2.0.1")]


def test_a_trial_that_does_not_come_up_is_reset_once_and_goes_back(folder, tflm):
    asked = Asked()
    on_trial(asked, *wrapped(folder, with_an_operator_that_no_firmware_has(image(NEW))))
    assert asked.board.boots == 3
    assert asked.outputs() == tflm[0]


def test_an_image_that_rots_in_its_slot_is_left_for_the_one_before(folder, tflm):
    asked = Asked()
    on_trial(asked, *wrapped(folder, image(NEW)))
    asked.mark(confirm=True)
    flash, place = asked.board.slots.flash, partitions_of(asked.board.board)[1].b
    flash.erase(place.start)
    asked.reset()
    assert asked.outputs() == tflm[0]


def test_a_permanent_image_that_does_not_come_up_is_not_answered_for(folder):
    asked = Asked()
    data, sha256 = wrapped(folder, with_an_operator_that_no_firmware_has(image(NEW)))
    asked.upload(data)
    asked.mark(sha256, confirm=True)
    asked.reset()
    with pytest.raises(RefusedError, match="operator that this firmware lacks"):
        asked.outputs()


def test_an_image_whose_content_is_no_model_is_not_listed(folder):
    asked = Asked()
    asked.upload(wrapped(folder, b"no model image" * 9)[0])
    assert [state.slot for state in asked.states()] == [0]


def test_a_threat_a_board_with_a_key_takes_no_image_of_another(folder, tflm):
    private, public, stranger = folder / "key.pem", folder / "public.pem", folder / "stranger.pem"
    for file in (private, stranger):
        imgtool("keygen", "-k", file, "-t", "ecdsa-p256")
    imgtool("getpub", "-k", private, "-e", "pem", "-o", public)
    asked = Asked(key=read_public_key(public))
    for options in ((), ("-k", stranger)):
        asked.upload(wrapped(folder, image(NEW), *options)[0])
        assert [state.slot for state in asked.states()] == [0]
    on_trial(asked, *wrapped(folder, image(NEW), "-k", private))
    assert asked.outputs() == tflm[1]


def test_an_input_of_the_wrong_size_is_refused():
    with pytest.raises(RefusedError, match="the input is 192"):
        Asked().board.infer(b"short")
