"""The UDP server: on the loopback only, and no datagram stops it."""

import asyncio
import logging
import socket

import pytest
from smp import os_management

from firmware_sim.smp.server import describe, parse_address, serve
from tests.firmware_sim.smp.rig import Asked
from tests.firmware_sim.smp.wrapping import free_address
from wire.errors import InputError, LinkError


@pytest.fixture(scope="module")
def board():
    return Asked().board


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1", ("127.0.0.1", 1337)),
        ("127.3.2.1:99", ("127.3.2.1", 99)),
        ("127.0.0.1:", ("127.0.0.1", 1337)),
    ],
)
def test_addresses(text, wanted):
    assert parse_address(text) == wanted


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "192.168.1.2:1337", "127.0.0.1:70000", "127.0.0.1:x", "", "::1", "host"]
)
def test_a_threat_what_others_can_reach_is_refused(text):
    with pytest.raises(InputError):
        parse_address(text)


def ask(address, *datagrams):
    """What comes back for the last of them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect(address)
        for datagram in datagrams:
            client.send(datagram)
        return client.recv(65536)


def test_datagrams_that_are_no_requests_are_left_out_and_the_next_is_answered(board, caplog):
    caplog.set_level(logging.WARNING, "tinyfleet.smp")
    address = (free_address(), 1337)
    bad = [b"", b"\0" * 8, b"\x0a\0\0\x05\0\0\0\0\xff", bytes(60_000)]

    async def served():
        transport = await serve(board, *address)
        try:
            return await asyncio.to_thread(
                ask, address, *bad, os_management.EchoWriteRequest(d="still here").BYTES
            )
        finally:
            transport.close()

    answer = asyncio.run(served())
    assert os_management.EchoWriteResponse.loads(answer).r == "still here"
    assert caplog.text.count("left out a datagram") == len(bad)


def test_an_address_that_is_taken_is_said(board):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((free_address(), 1337))
        with pytest.raises(LinkError, match="cannot listen at"):
            asyncio.run(serve(board, *other.getsockname()))


def test_a_line_says_what_answers(board):
    assert describe(board) == f"boot {board.boots}: slot 0 answers, image 0.0.0"
