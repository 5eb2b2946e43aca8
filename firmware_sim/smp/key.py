"""The public key that a board's boot loader holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from wire.errors import InputError

_MAX_KEY_BYTES: Final = 4096


def read_public_key(file: Path) -> ec.EllipticCurvePublicKey:
    """As ``imgtool getpub --encoding pem`` prints it; InputError for anything but a P-256 key."""
    try:
        with file.open("rb") as stream:
            key = load_pem_public_key(stream.read(_MAX_KEY_BYTES))
    except OSError as error:
        raise InputError("unreadable", f"cannot read {file}: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise InputError(
            "bad_key", f"{file} is not a public key in PEM", "imgtool getpub --encoding pem"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("bad_key", f"{file} is not a P-256 key", "imgtool keygen -t ecdsa-p256")
    return key
