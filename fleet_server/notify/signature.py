"""Who sent a webhook: an HMAC over id, time and body, as the Standard Webhooks specification 1.0 has it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from wire.errors import InputError

PREFIX: Final = "whsec_"
MIN_BYTES: Final = 16


def key_of(secret: str) -> bytes:
    """The key in a secret: base64 after ``whsec_``, else its own characters; InputError when it is short."""
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True) if secret.startswith(PREFIX) else None
    except (binascii.Error, ValueError) as error:
        raise InputError(
            "bad_secret", f"what follows {PREFIX} is not base64", "see docs/alerts.md"
        ) from error
    key = secret.encode() if key is None else key
    if len(key) < MIN_BYTES:
        raise InputError(
            "bad_secret", f"a secret of {len(key)} bytes", f"make one of {MIN_BYTES} bytes or more"
        )
    return key


def headers(key: bytes, notice: str, at_unix_s: int, body: bytes) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` of one request."""
    signed = f"{notice}.{at_unix_s}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": notice, "webhook-timestamp": str(at_unix_s), "webhook-signature": f"v1,{mac}"}
