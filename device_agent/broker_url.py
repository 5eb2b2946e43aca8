"""How a device connects to its broker: address, password from a file, TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

from wire.broker import BrokerAddress
from wire.errors import InputError

_MAX_PASSWORD_BYTES = 4096


class BrokerUrl(NamedTuple):
    """Where and how to connect; ``tls`` is None for a plain connection."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


def parse_broker_url(url: str, password_file: Path | None = None, ca_file: Path | None = None) -> BrokerUrl:
    """Parse; InputError for anything else. The password comes from a file, or else from the URL."""
    address = BrokerAddress.parse(url)
    return BrokerUrl(
        host=address.host,
        port=address.port,
        username=address.username,
        password=address.password if password_file is None else _read_password(password_file),
        tls=_context(ca_file) if address.tls else None,
    )


def _read_password(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_PASSWORD_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("bad_password_file", f"cannot read {file}: {error}", "check the file") from error


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise InputError("bad_ca_file", f"cannot use {ca_file}: {error}", "give a PEM file") from error
