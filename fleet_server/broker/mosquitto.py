"""Mosquitto as a child process, with a configuration that does not lose what it acknowledged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar, Final

from fleet_server.broker.child import MAX_PACKET_BYTES, ChildBroker
from wire.errors import LinkError
from wire.limits import MAX_PAYLOAD_BYTES

#: Most bytes kept for one client that is away: beyond it mosquitto drops messages silently, so it is
#: far above what the server's session collects while it restarts (250,000 reports of 1 KB).
QUEUE_BYTES: Final = 256 * 1024 * 1024
#: Most memory of the whole broker; at the limit it refuses new messages.
MEMORY_BYTES: Final = 1024 * 1024 * 1024
#: A crash (not an orderly stop) loses at most what was queued or retained for this long.
AUTOSAVE_S: Final = 60

_CONFIGURATION: Final = """\
listener {port} {host}
# Without passwords only because no other machine can connect.
allow_anonymous true
{user}\
set_tcp_nodelay true
connection_messages false
log_timestamp_format %Y-%m-%dT%H:%M:%S
persistence true
persistence_location {folder}
autosave_interval {autosave_s}
persistent_client_expiration 14d
# The defaults (1000 and 20) lose messages that were acknowledged to their sender.
max_queued_messages 0
max_queued_bytes {queue_bytes}
max_inflight_messages 0
memory_limit {memory_bytes}
# The first counts the payload alone, the second all after the fixed header; above either, mosquitto
# 2.0 ends the sender's connection and nobody else's.
message_size_limit {payload_bytes}
max_packet_size {packet_bytes}
"""


class Mosquitto(ChildBroker):
    """Needs mosquitto 2 on PATH."""

    kind: ClassVar[str] = "mosquitto"

    def _configuration(self, host: str, port: int) -> str:
        # Started by root it would change to the user "mosquitto", who may not write to our folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        return _CONFIGURATION.format(
            host=host,
            port=port,
            user=user,
            folder=self.folder,
            autosave_s=AUTOSAVE_S,
            queue_bytes=QUEUE_BYTES,
            memory_bytes=MEMORY_BYTES,
            payload_bytes=MAX_PAYLOAD_BYTES,
            packet_bytes=MAX_PACKET_BYTES,
        )

    def _program(self, configuration: Path) -> list[str]:
        program = shutil.which("mosquitto")
        if program is None:
            raise LinkError(
                "no_mosquitto", "mosquitto is not installed", "install it, or use the embedded rumqttd"
            )
        return [program, "-c", str(configuration)]
