"""Whom a channel believes to be its server."""

from __future__ import annotations

import ssl

from wire.errors import InputError


def context(ca_file: str | None) -> ssl.SSLContext:
    """The system's certificate authorities, or those of one file; InputError when it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise InputError("bad_ca", f"ca_file: cannot use it: {error}"[:300], "give a PEM file") from error
