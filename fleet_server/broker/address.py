"""Where a broker is: its URL taken apart, and which addresses we listen on ourselves."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from wire.errors import InputError, LinkError

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class BrokerAddress:
    """``mqtt[s]://[user[:password]@]host[:port]``."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart; InputError when it is not one of a broker."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _bad_url() from error
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path.strip("/"):
            raise _bad_url()
        return cls(
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    @property
    def shown(self) -> str:
        """The URL without user and password, for messages and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{host}:{self.port}"


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


def _bad_url() -> InputError:
    # The URL itself may hold a password, so it is not repeated.
    return InputError(
        "bad_broker_url", "not the URL of an MQTT broker", "write mqtt://host:1883 or mqtts://host:8883"
    )
