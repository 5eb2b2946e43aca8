"""A weak network delivers what it delivers in order, slowly, and breaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from device_agent.broker_url import BrokerUrl
from firmware_sim.weak_link import Weakness, weak_link

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def through(weakness: Weakness, use: Callable[[Connection], Awaitable[float]]) -> float:
    """What ``use`` gives with a connection to an echo server behind such a network."""

    async def run() -> float:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        url = BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
        async with server, weak_link(url, weakness, random.Random(1)) as behind:
            reader, writer = await asyncio.open_connection(behind.host, behind.port)
            try:
                return await use((reader, writer))
            finally:
                await closed(writer)

    return asyncio.run(run())


async def there_and_back(connection: Connection) -> float:
    reader, writer = connection
    data = random.Random(2).randbytes(6000)
    start = asyncio.get_running_loop().time()
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    return asyncio.get_running_loop().time() - start


async def until_it_ends(connection: Connection) -> float:
    reader, _ = connection
    try:
        rest = await reader.read()
    except ConnectionResetError:
        rest = b""
    return len(rest)


@pytest.mark.parametrize(
    ("weakness", "least_s"),
    [
        (Weakness(bytes_per_s=20_000), 6000 / 20_000),
        (Weakness(delay_s=0.1), 0.2),
        (Weakness(bytes_per_s=20_000, delay_s=0.1), 6000 / 20_000 + 0.2),
    ],
)
def test_bytes_arrive_in_order_and_take_their_time(weakness: Weakness, least_s: float) -> None:
    assert through(weakness, there_and_back) >= least_s


def test_connections_break() -> None:
    assert through(Weakness(breaks_per_s=50.0), until_it_ends) == 0


def test_without_weakness_there_is_nothing_between() -> None:
    async def run() -> BrokerUrl:
        async with weak_link(url, Weakness(), random.Random(1)) as behind:
            return behind

    url = BrokerUrl("127.0.0.1", 1)
    assert asyncio.run(run()) is url


def test_a_broker_that_is_away_ends_the_connection() -> None:
    async def run() -> bytes:
        gone = await asyncio.start_server(echo, "127.0.0.1", 0)
        url = BrokerUrl("127.0.0.1", gone.sockets[0].getsockname()[1])
        gone.close()
        await gone.wait_closed()
        async with weak_link(url, Weakness(delay_s=0.01), random.Random(1)) as behind:
            reader, writer = await asyncio.open_connection(behind.host, behind.port)
            rest = await reader.read()
            await closed(writer)
            return rest

    assert asyncio.run(run()) == b""
