"""A broker that somebody else runs: by URL, only checked to be reachable."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from fleet_server.broker.probe import probe
from wire.broker import BrokerAddress


class ExternalBroker:
    """Any MQTT 5 broker; what it queues and how large a payload may be is its owner's decision.

    docs/protocol.md says what it must allow: payloads of ``wire.limits.MAX_PAYLOAD_BYTES``, retained
    messages, wills, and for the server's session a queue that is not cut off at a message count.
    """

    kind: Final = "external"

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self.address: Final = BrokerAddress.parse(url)
        self.url: Final = url
        self._timeout_s: Final = timeout_s

    def start(self) -> str:
        """Check that it answers; LinkError with a hint when it does not."""
        probe(self.address, self._timeout_s)
        return self.url

    def stop(self) -> None:
        """Nothing: it is not ours."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
