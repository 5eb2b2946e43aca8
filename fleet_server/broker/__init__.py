"""The MQTT broker of a fleet: somebody else's by URL, or one that runs as a child of the server.

Three kinds behind one protocol, and one contract test for all of them:

* ``external``: any MQTT 5 broker by URL; only checked to be reachable;
* ``mosquitto``: when it is on PATH. Queues and retained messages survive a restart;
* ``rumqttd``: from the ``iotcore`` wheel, so that ``pip install`` alone is enough. It keeps
  everything in memory: see :mod:`fleet_server.broker.rumqttd` for what that costs.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fleet_server.broker.external import ExternalBroker
from fleet_server.broker.mosquitto import Mosquitto
from fleet_server.broker.rumqttd import Rumqttd
from wire.broker import BrokerAddress

__all__ = ["Broker", "BrokerAddress", "ExternalBroker", "Mosquitto", "Rumqttd", "open_broker"]


class Broker(Protocol):
    """A broker that devices and server can reach between ``start`` and ``stop``."""

    @property
    def kind(self) -> str:
        """``external``, ``mosquitto`` or ``rumqttd``."""

    @property
    def url(self) -> str:
        """Where it is, ``mqtt://host:port``; LinkError before ``start``."""

    def start(self) -> str:
        """Wait until it answers an MQTT 5 CONNECT and return its URL; LinkError when it does not."""

    def stop(self) -> None:
        """End it if it is ours; may be called twice."""

    def __enter__(self) -> Self:
        """Start it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""


def open_broker(url: str | None, data_dir: Path, port: int = 0) -> Broker:
    """The broker at ``url``, or else an embedded one on the loopback interface; not started yet.

    ``port`` 0 lets the system choose. InputError when ``url`` is not a broker's URL.
    """
    if url is not None:
        return ExternalBroker(url)
    if shutil.which("mosquitto"):
        return Mosquitto(data_dir, port)
    return Rumqttd(data_dir, port)
