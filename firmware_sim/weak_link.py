"""A weak network between devices and broker: a relay that is slow, late, and breaks now and then.

Bytes really take that long and connections really break, so that QoS 1, resumed sessions and downloads
are what they are in the field. What TCP hides of a lossy radio is delay; what it cannot hide is a break.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from device_agent.broker_url import BrokerUrl

_READ_BYTES: Final = 1024
_HOST: Final = "127.0.0.1"


class Weakness(NamedTuple):
    """How bad it is; of each connection and direction."""

    bytes_per_s: float | None = None
    """None: as fast as it goes."""
    delay_s: float = 0.0
    breaks_per_s: float = 0.0
    """Rate of an exponential time to the next break of a connection."""

    @property
    def any(self) -> bool:
        """Whether there is anything to simulate."""
        return bool(self.bytes_per_s or self.delay_s or self.breaks_per_s)


@asynccontextmanager
async def weak_link(broker: BrokerUrl, weakness: Weakness, rng: random.Random) -> AsyncIterator[BrokerUrl]:
    """Where devices have to connect to instead of ``broker``; plain TCP, with or without TLS inside."""
    if not weakness.any:
        yield broker
        return
    relay = _Relay(broker, weakness, rng)
    server = await asyncio.start_server(relay.serve, _HOST, 0)
    try:
        yield broker._replace(host=_HOST, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await relay.stop()


class _Relay:
    def __init__(self, broker: BrokerUrl, weakness: Weakness, rng: random.Random) -> None:
        self._broker = broker
        self._weakness = weakness
        self._rng = rng
        self._served: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One device's connection, until either side or chance ends it."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def stop(self) -> None:
        """End every connection."""
        await _cancel(self._served)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        except OSError:
            await _abort(writer)
            return
        ways = [self._carry(reader, far_writer), self._carry(far_reader, writer), self._live()]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(tasks)
            await _abort(writer)
            await _abort(far_writer)

    async def _live(self) -> None:
        """Until the connection breaks."""
        rate = self._weakness.breaks_per_s
        if rate:
            await asyncio.sleep(self._rng.expovariate(rate))
        else:
            await asyncio.Event().wait()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes in order, each piece after its own time on the line and the delay."""
        loop = asyncio.get_running_loop()
        free_at = 0.0
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                line_s = len(data) / self._weakness.bytes_per_s if self._weakness.bytes_per_s else 0.0
                free_at = max(free_at, loop.time()) + line_s
                await asyncio.sleep(free_at + self._weakness.delay_s - loop.time())
                writer.write(data)
                await writer.drain()


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
