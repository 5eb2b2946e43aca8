"""Messages: the same bytes as the client's library, and no datagram does harm."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import image_management, os_management
from smp.header import Header

from firmware_sim.smp import messages
from firmware_sim.smp.frame import MAX_MESSAGE_BYTES, parse, reply
from wire.errors import WireError


def test_a_request_of_the_clients_library_is_read():
    sent = image_management.ImageUploadWriteRequest(off=0, data=b"abc", len=3, sha=bytes(32), image=0)
    request = parse(sent.BYTES)
    assert (request.write, request.version, request.group, request.command) == (True, 1, 1, 1)
    assert request.read(messages.Upload) == messages.Upload(off=0, data=b"abc", image=0, len=3, sha=bytes(32))


def test_an_answer_is_read_by_the_clients_library():
    request = parse(os_management.EchoWriteRequest(d="x", sequence=77).BYTES)
    got = os_management.EchoWriteResponse.loads(reply(request, {"r": "x"}))
    assert (got.r, got.sequence) == ("x", 77)


def test_error_numbers_are_those_of_the_clients_library():
    theirs = {error.name: error.value for error in image_management.IMG_MGMT_ERR}
    renamed = {
        "IMAGE_TOO_LARGE": "INVALID_IMAGE_TOO_LARGE",
        "IMAGE_DATA_OVERRUN": "INVALID_IMAGE_DATA_OVERRUN",
    }
    renamed |= {"TEST_TO_ACTIVE_DENIED": "IMAGE_SETTING_TEST_TO_ACTIVE_DENIED"}
    for error in messages.ImageError:
        assert theirs[renamed.get(error.name, error.name)] == error.value


def framed(body: bytes, first=0x0A, length=None) -> bytes:
    size = len(body) if length is None else length
    return bytes([first, 0]) + size.to_bytes(2, "big") + bytes([0, 1, 0, 1]) + body


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        bytes(7),
        framed(b"\xa0", length=2),
        framed(b"\xa0", first=0x0B),
        framed(b"\x80"),
        framed(b"\x81" * 500),
        framed(b"\xa1\x61a\x5b" + b"\xff" * 8),
        framed(cbor2.dumps({"a": bytes(MAX_MESSAGE_BYTES)})),
    ],
)
def test_what_is_not_one_whole_request_is_refused(datagram):
    with pytest.raises(WireError):
        parse(datagram)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"off": -1, "data": b""},
        {"off": 2**32, "data": b""},
        {"off": 0, "data": "text"},
        {"off": 0, "data": b"", "sha": b"short"},
        {"off": True, "data": b""},
    ],
)
def test_a_body_of_the_wrong_types_is_refused(body):
    with pytest.raises(WireError):
        parse(framed(cbor2.dumps(body))).read(messages.Upload)


@given(st.binary(max_size=64), st.sampled_from([0x00, 0x02, 0x08, 0x0A]))
def test_any_body_is_a_map_or_refused(body, first):
    try:
        request = parse(framed(body, first))
    except WireError:
        return
    assert isinstance(request.body, dict)
    for kind in (messages.Upload, messages.StateWrite, messages.Echo, messages.Erase, messages.Infer):
        try:
            assert isinstance(request.read(kind), kind)
        except WireError:
            continue


def test_the_header_is_eight_bytes():
    assert len(framed(b"")) == Header.SIZE
