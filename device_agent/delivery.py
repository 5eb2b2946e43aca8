"""From the outbox to the broker, while there is a link and a server that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec.structs

from device_agent.link import Link
from device_agent.storage import Entry, MessageQueue
from wire.errors import FleetError, LinkError
from wire.messages import ServerState, Telemetry, decode, encode
from wire.states import Presence

#: Messages on their way at once.
_IN_FLIGHT: Final = 8
#: Pause after the broker refused a message, or had nobody to give it to.
_REFUSED_PAUSE_S: Final = 2.0


class Delivery:
    """Keeps telemetry until the broker has it. Without word of a server, it counts as offline."""

    def __init__(
        self, link: Link, outbox: MessageQueue, topic: str, complain: Callable[[FleetError], None]
    ) -> None:
        self._link = link
        self._outbox = outbox
        self._topic = topic
        self._complain = complain
        self._server_online = False
        self._server_session: int | None = None
        self._work = asyncio.Event()

    @property
    def dropped(self) -> int:
        """Messages of this boot that had to make room."""
        return self._outbox.dropped

    def keep(self, telemetry: Telemetry) -> None:
        """Take charge of a message; StoreError when it cannot be kept."""
        self._outbox.add(encode(telemetry), historical=not self._open)
        self._work.set()

    def server_says(self, payload: bytes) -> bool:
        """Handle topic ``server/state``; whether a server is there that was not there before."""
        try:
            said = decode(ServerState, payload) if payload else None
        except FleetError as error:
            self._complain(error)
            return False
        self._server_online = said is not None and said.state is Presence.ONLINE
        self.interrupted()
        if said is None or not self._server_online or said.session == self._server_session:
            return False
        self._server_session = said.session
        return True

    def interrupted(self) -> None:
        """The link or the server came or went."""
        if not self._link.up.is_set():
            self._server_online = False  # until it says so again
        if not self._open:
            try:
                self._outbox.mark_historical()
            except FleetError as error:
                self._complain(error)
        self._work.set()

    async def run(self) -> None:
        """Deliver, in order, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                while self._open and (entries := self._outbox.oldest(_IN_FLIGHT)):
                    await self._deliver(entries)
            except FleetError as error:
                self._complain(error)
                self._outbox.mark_historical()
                await asyncio.sleep(_REFUSED_PAUSE_S)
                self._work.set()

    @property
    def _open(self) -> bool:
        return self._server_online and self._link.up.is_set()

    async def _deliver(self, entries: list[Entry]) -> None:
        """Publish, and forget what was acknowledged; LinkError when the broker refused one."""
        acks = [self._link.publish(self._topic, _flagged(entry)) for entry in entries]
        # A lost link only delays these: paho sends them again in the same session.
        results = await asyncio.gather(*acks, return_exceptions=True)
        done = [entry.id for entry, result in zip(entries, results, strict=True) if result is None]
        self._outbox.remove(done)
        refused = next((result for result in results if isinstance(result, LinkError)), None)
        if refused is not None:
            raise refused


def _flagged(entry: Entry) -> bytes:
    if not entry.historical:
        return entry.payload
    return encode(msgspec.structs.replace(decode(Telemetry, entry.payload), historical=True))
