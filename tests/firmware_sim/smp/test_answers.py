"""Uploads and states: what is refused, and that what answers or may have to answer is never overwritten."""

import hashlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import error, image_management, os_management
from smp.header import Version

from firmware_sim.smp import mcuboot
from firmware_sim.smp.frame import MAX_MESSAGE_BYTES, parse
from tests.firmware_sim.smp.rig import BOARD, WINDOWS, Asked, refused
from tests.firmware_sim.smp.wrapping import NEW, image, wrap


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    return wrap(tmp_path_factory.mktemp("answers"), image(NEW)).read_bytes()


@pytest.fixture
def asked():
    return Asked()


def expect(answer, code):
    assert (answer.err.group, answer.err.rc) == (1, image_management.IMG_MGMT_ERR[code])


def test_os_group(asked):
    echo = asked.ask(os_management.EchoWriteRequest(d="hello"), os_management.EchoWriteResponse)
    limits = asked.ask(
        os_management.MCUMgrParametersReadRequest(), os_management.MCUMgrParametersReadResponse
    )
    info = asked.ask(
        os_management.OSApplicationInfoReadRequest(format="sn"), os_management.OSApplicationInfoReadResponse
    )
    loader = asked.ask(
        os_management.BootloaderInformationReadRequest(), os_management.BootloaderInformationReadResponse
    )
    assert (echo.r, limits.buf_size, info.output) == ("hello", MAX_MESSAGE_BYTES, f"tinyfleet {BOARD}")
    assert loader.bootloader == "tinyfleet"


def test_what_it_does_not_know_is_not_supported(asked):
    answer = asked.ask(os_management.TaskStatisticsReadRequest(), os_management.OSManagementErrorV1)
    assert answer.rc is error.MGMT_ERR.ENOTSUP


def test_errors_of_the_first_version_of_the_protocol(asked):
    request = image_management.ImageStatesWriteRequest(hash=bytes(32), version=Version.V1)
    assert asked.ask(request, image_management.ImageManagementErrorV1).rc is error.MGMT_ERR.EINVAL


@pytest.mark.parametrize("size", [32, 33, 500, 1400, 4096])
def test_an_upload_in_pieces_of_any_size_arrives_whole(asked, new, size):
    assert asked.upload(new, size).match is True
    assert asked.board.slots.read(1)[: len(new)] == new


def test_a_piece_that_comes_twice_or_out_of_order_is_left_out(asked, new):
    asked.piece(0, new[:400], len=len(new))
    assert asked.piece(800, new[800:900]).off == 400
    assert asked.piece(400, new[400:700]).off == 700
    assert asked.piece(400, new[400:700]).off == 700
    for at in range(700, len(new), 100):
        asked.piece(at, new[at : at + 100])
    assert asked.board.slots.read(1)[: len(new)] == new


def test_a_broken_upload_goes_on_where_it_stopped(asked, new):
    sha = hashlib.sha256(new).digest()
    asked.piece(0, new[:400], len=len(new), sha=sha)
    asked.piece(400, new[400:700])
    assert asked.piece(0, new[:400], len=len(new), sha=sha).off == 700
    assert asked.upload(new).match is True
    assert asked.board.slots.read(1)[: len(new)] == new


def test_another_image_begins_anew(asked, new):
    asked.piece(0, new[:400], len=len(new), sha=hashlib.sha256(new).digest())
    other = new[:-1] + b"\x00"
    assert asked.piece(0, other[:300], len=len(other), sha=hashlib.sha256(other).digest()).off == 300


def test_a_reset_forgets_half_an_upload(asked, new):
    asked.piece(0, new[:400], len=len(new))
    asked.reset()
    assert asked.piece(400, new[400:700]).off == 0


def test_an_upload_that_is_not_what_was_announced_does_not_match_and_is_not_listed(asked, new):
    damaged = new[:600] + bytes([new[600] ^ 1]) + new[601:]
    sha = hashlib.sha256(new).digest()
    asked.piece(0, damaged[:500], len=len(new), sha=sha)
    assert asked.piece(500, damaged[500:]).match is False
    assert [state.slot for state in asked.states()] == [0]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"image": 1, "len": 5000}, "INVALID_SLOT"),
        ({}, "INVALID_LENGTH"),
        ({"len": 0x40001}, "INVALID_IMAGE_TOO_LARGE"),
    ],
)
def test_a_first_piece_that_is_refused(asked, new, fields, code):
    expect(asked.piece(0, new[:400], refused(code)[0], **fields), code)


def test_what_is_no_mcuboot_image_is_refused_at_its_first_piece(asked):
    code = "INVALID_IMAGE_HEADER_MAGIC"
    expect(asked.piece(0, bytes(400), refused(code)[0], len=5000), code)


def test_more_than_was_announced_is_refused(asked, new):
    asked.piece(0, new[:400], len=500)
    code = "INVALID_IMAGE_DATA_OVERRUN"
    expect(asked.piece(400, new[400:501], refused(code)[0]), code)


def test_the_fallback_of_a_trial_is_not_overwritten(asked, new):
    before = asked.board.slots.read(0)
    asked.upload(new)
    asked.mark(mcuboot.read(new).sha256)
    kind, _ = refused("NO_FREE_SLOT")
    expect(asked.piece(0, new[:400], kind, len=len(new)), "NO_FREE_SLOT")
    asked.reset()
    expect(asked.piece(0, new[:400], kind, len=len(new)), "NO_FREE_SLOT")
    expect(asked.ask(image_management.ImageEraseRequest(slot=0), kind), "NO_FREE_SLOT")
    assert asked.board.slots.read(0) == before


def test_the_slot_that_answers_is_not_erased(asked, new):
    expect(asked.ask(image_management.ImageEraseRequest(slot=0), refused("INVALID_SLOT")[0]), "INVALID_SLOT")
    asked.upload(new)
    asked.ask(image_management.ImageEraseRequest(), image_management.ImageEraseResponse)
    assert [state.slot for state in asked.states()] == [0]


def test_states_that_cannot_be_set(asked, new):
    asked.upload(new)
    running = asked.states()[0].hash
    for sha256, code in [
        (bytes(32), "HASH_NOT_FOUND"),
        (bytes(running), "IMAGE_SETTING_TEST_TO_ACTIVE_DENIED"),
    ]:
        expect(asked.mark(sha256, response=refused(code)[0]), code)
    asked.mark(mcuboot.read(new).sha256)
    code = "IMAGE_ALREADY_PENDING"
    expect(asked.mark(mcuboot.read(new).sha256, response=refused(code)[0]), code)


def test_states_tell_what_the_next_reset_does(asked, new):
    asked.upload(new)
    asked.mark(mcuboot.read(new).sha256, confirm=True)
    one, two = asked.states()
    assert (one.active, one.confirmed, one.pending) == (True, True, False)
    assert (two.active, two.confirmed, two.pending, two.permanent) == (False, False, True, True)
    assert two.version == "2.0.1"


BODIES = st.dictionaries(
    st.sampled_from(
        ["off", "data", "len", "sha", "image", "hash", "confirm", "slot", "input", "d", "format"]
    ),
    st.one_of(st.integers(-2, 2**33), st.binary(max_size=40), st.booleans(), st.text(max_size=4), st.none()),
)


@pytest.fixture(scope="module")
def board():
    return Asked()


@given(body=BODIES, group=st.sampled_from([0, 1, 84]), command=st.integers(0, 8), write=st.booleans())
def test_any_request_is_answered_and_the_model_goes_on_answering(board, body, group, command, write):
    data = cbor2.dumps(body)
    first = 0x0A if write else 0x08
    head = bytes([first, 0, *len(data).to_bytes(2, "big"), *group.to_bytes(2, "big"), 7, command])
    answer = board.answers.answer(parse(head + data))
    assert answer[0] == first + 1
    assert answer[2:8] == (len(answer) - 8).to_bytes(2, "big") + head[4:]
    assert len(board.outputs()) == len(WINDOWS) * 5
