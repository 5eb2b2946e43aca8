"""The address of a broker: ``mqtt://[user@]host[:port]`` or ``mqtts://`` for TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

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
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad("is not a URL") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
        raise _bad("is not mqtt://host:port or mqtts://host:port")
    secure = parts.scheme == "mqtts"
    password = None if parts.password is None else unquote(parts.password)
    if password_file is not None:
        password = _read_password(password_file)
    return BrokerUrl(
        host=parts.hostname,
        port=port or (8883 if secure else 1883),
        username=None if parts.username is None else unquote(parts.username),
        password=password,
        tls=_context(ca_file) if secure else None,
    )


def _bad(why: str) -> InputError:
    # The URL may hold a password, so it is not repeated here.
    return InputError("bad_broker_url", f"the broker's address {why}", "write it as mqtt://127.0.0.1:1883")


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
