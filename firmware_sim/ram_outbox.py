"""Telemetry of a microcontroller waits in RAM: a power cut loses it, and costs the flash no wear."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from device_agent.storage import Entry


class RamOutbox:
    """First in, first out; when it is full the oldest are dropped, and counted."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.dropped = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._added = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, payload: bytes, historical: bool) -> None:
        """Keep ``payload`` until it is removed or has to make room."""
        full = self._max_entries, self._max_bytes - len(payload)
        while self._entries and (len(self._entries) >= full[0] or self._bytes > full[1]):
            self._bytes -= len(self._entries.popleft().payload)
            self.dropped += 1
        self._added += 1
        self._entries.append(Entry(self._added, payload, historical))
        self._bytes += len(payload)

    def oldest(self, limit: int) -> list[Entry]:
        """The first entries in the order in which they were added."""
        return [self._entries[index] for index in range(min(limit, len(self._entries)))]

    def remove(self, ids: Iterable[int]) -> None:
        """Forget entries that the broker acknowledged."""
        gone = set(ids)
        self._entries = deque(entry for entry in self._entries if entry.id not in gone)
        self._bytes = sum(len(entry.payload) for entry in self._entries)

    def mark_historical(self) -> None:
        """Everything still here has to wait for the server or the link."""
        self._entries = deque(entry._replace(historical=True) for entry in self._entries)

    def close(self) -> None:
        """What is left is lost, as in any power-off."""
        self._entries.clear()
