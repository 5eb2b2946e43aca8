"""A board's SMP server on UDP. The protocol asks nobody who he is, hence the loopback only."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import Final, cast

from device_agent.process import until_signalled
from firmware_sim.smp.answers import Answers
from firmware_sim.smp.board import SimulatedBoard
from firmware_sim.smp.frame import parse
from wire.errors import InputError, LinkError, WireError

PORT: Final = 1337
"""Zephyr's ``CONFIG_MCUMGR_TRANSPORT_UDP_PORT``; smpmgr knows no other."""
_log = logging.getLogger("tinyfleet.smp")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._answers = Answers(board)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            request = parse(data)
        except WireError as error:
            _log.warning("left out a datagram: %s", error.message)
            return
        assert self._transport is not None  # noqa: S101 - asyncio's promise
        self._transport.sendto(self._answers.answer(request), addr)
        if self._answers.reset_wanted:
            self._answers.restart()
            _log.info("%s", describe(self._board))


async def serve(board: SimulatedBoard, host: str, port: int) -> asyncio.DatagramTransport:
    """Answer until the transport is closed; LinkError when the address is taken."""
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(board), (host, port))
    except OSError as error:
        raise LinkError(
            "no_port", f"cannot listen at {host}:{port}: {error.strerror}", "use 127.0.0.2"
        ) from error
    return transport


async def run(board: SimulatedBoard, address: str) -> None:
    """Answer at ``IP`` or ``IP:PORT`` until SIGTERM or SIGINT."""
    host, port = parse_address(address)

    async def answer() -> None:
        transport = await serve(board, host, port)
        _log.info("%s", describe(board))
        _log.info("%s listens at %s:%d", board.board.name, host, port)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            transport.close()

    await until_signalled(answer)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``IP`` or ``IP:PORT``; InputError for anything else, and beyond the loopback."""
    host, _, port = text.partition(":")
    try:
        loopback = ipaddress.IPv4Address(host).is_loopback
        number = int(port or PORT)
    except ValueError as error:
        raise InputError("bad_address", f"{text} is not IP[:PORT]", "use 127.0.0.1:1337") from error
    if not loopback or not 0 <= number < 65536:
        raise InputError("not_loopback", f"{text} is not a loopback address", "use 127.0.0.1:1337")
    return host, number


def describe(board: SimulatedBoard) -> str:
    """One line about what answers."""
    record = board.record
    if board.fault is not None:
        return f"boot {board.boots}: nothing answers: {board.fault.message}"
    image = board.image(record.active)
    trial = "" if record.confirmed else ", on trial"
    return f"boot {board.boots}: slot {record.active} answers, image {image.version}{trial}"
