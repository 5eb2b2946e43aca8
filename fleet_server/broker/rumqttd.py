"""rumqttd, compiled into the ``iotcore`` wheel, as a child process: a broker from ``pip install`` alone.

Measured on iotcore 0.4.0 (rumqttd 0.20), where it differs from mosquitto and no setting helps:

* Nothing survives its restart: sessions, queues and retained messages are in memory only. Devices
  assert their state again when they reconnect, and the server publishes desired states again.
* At most 100 messages are unacknowledged per client (a constant in its ``router/iobufs.rs``), so a
  subscriber that commits in batches gets at most 100 for one commit.
* A QoS 1 subscription with a wildcard gets at most 100 of the retained messages that match it, at
  random. A QoS 0 subscription gets them all, on a connection of its own: subscribing to the same
  filter again with QoS 1 has no effect.
* Acknowledgements must come in the order of the messages. One out of order ends the connection, and
  the message that should have been acknowledged first is lost.
* For every subscription filter the last 100 MB are kept, read or unread; a session that is away for
  longer loses the oldest, silently.
* Oversize is counted over the whole packet after its fixed header (payload, topic, 5 bytes,
  properties); above it the sender's connection ends.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar, Final

from fleet_server.broker.child import MAX_PACKET_BYTES, ChildBroker

_CONFIGURATION: Final = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 10000
max_segment_size = 10485760
max_segment_count = 10

[v5.1]
name = "loopback"
listen = "{host}:{port}"
next_connection_delay_ms = 0

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {packet_bytes}
max_inflight_count = 1000
dynamic_filters = true
"""
#: The server's own packages are not on the child's path: a broken import there cannot stop the broker.
_SERVE: Final = (
    "import logging, sys; from iotcore import IotCoreBroker; "
    # Its spans are of level ERROR, one for every packet.
    "logging.getLogger('rumqttd').setLevel(logging.CRITICAL); "
    "IotCoreBroker(config_path=sys.argv[1]).run_forever()"
)


class Rumqttd(ChildBroker):
    """Needs ``iotcore`` (in the ``server`` extra)."""

    kind: ClassVar[str] = "rumqttd"
    configuration_suffix: ClassVar[str] = ".toml"

    def _configuration(self, host: str, port: int) -> str:
        return _CONFIGURATION.format(host=host, port=port, packet_bytes=MAX_PACKET_BYTES)

    def _program(self, configuration: Path) -> list[str]:
        return [sys.executable, "-I", "-c", _SERVE, str(configuration)]
