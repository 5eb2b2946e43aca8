"""rumqttd, compiled into the ``iotcore`` wheel, as a child process: a broker from ``pip install`` alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar, Final

from fleet_server.broker.child import ChildBroker
from wire.limits import MAX_PAYLOAD_BYTES

MAX_PACKET_BYTES: Final = MAX_PAYLOAD_BYTES + 2 * 64 * 1024

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
max_inflight_count = 10000
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
