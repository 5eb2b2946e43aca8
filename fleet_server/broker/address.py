"""Which addresses our own brokers listen on."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from wire.errors import InputError, LinkError

LOOPBACK: Final = "127.0.0.1"


def check_loopback(host: str) -> str:
    """Return ``host`` when it is a loopback IP address; InputError otherwise.

    The embedded brokers let anyone in: that is only right where no other machine can connect.
    """
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise InputError(
        "not_loopback",
        f"the embedded broker has no passwords and does not listen on {host[:80]!r}",
        "use 127.0.0.1, or run a broker with TLS and passwords and give its URL",
    )


def choose_port(host: str, port: int) -> int:
    """``port`` when nothing listens there, or a free one for 0; LinkError when it is taken.

    Somebody may take the port before the broker binds it: the broker then exits, and the caller
    of a chosen port tries another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the brokers do: a port in TIME_WAIT is free, a port with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise LinkError(
                "port_taken",
                f"cannot listen on {host} port {port}",
                "choose another port, 0 for any free one, or give the URL of the broker that runs there",
            ) from error
        chosen: int = probe.getsockname()[1]
    return chosen
