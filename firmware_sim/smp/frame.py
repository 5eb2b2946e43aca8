"""One SMP message: eight bytes of header and a CBOR map.

Zephyr's documentation, "SMP Protocol Specification".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

import cbor2
import msgspec

from wire.errors import WireError

MAX_MESSAGE_BYTES: Final = 8192
"""Of one datagram, header included; more than any model input of the catalogue's tasks."""
_HEADER: Final = struct.Struct(">BBHHBB")
_OP_BITS, _VERSION_SHIFT, _VERSION_BITS = 0b111, 3, 0b11
_READ, _WRITE = 0, 2
_MAX_DEPTH: Final = 4
T = TypeVar("T")


class Request(NamedTuple):
    """What a client asks."""

    write: bool
    version: int
    """0 or 1: how errors are told."""
    group: int
    sequence: int
    command: int
    body: dict[object, object]

    def read(self, kind: type[T]) -> T:
        """The body as ``kind``; WireError when it is not one. Fields it does not know are ignored."""
        try:
            return msgspec.convert(self.body, kind, builtin_types=(bytes,))
        except (msgspec.ValidationError, RecursionError) as error:
            raise WireError("malformed", f"SMP: {str(error)[:200]}", "see docs/flashing.md") from error


def parse(datagram: bytes) -> Request:
    """WireError for anything but one whole request."""
    if not _HEADER.size <= len(datagram) <= MAX_MESSAGE_BYTES:
        raise WireError("malformed", f"{len(datagram)} bytes are no SMP message", "check the client's MTU")
    first, _flags, length, group, sequence, command = _HEADER.unpack_from(datagram)
    op, version = first & _OP_BITS, first >> _VERSION_SHIFT & _VERSION_BITS
    if op not in {_READ, _WRITE} or length != len(datagram) - _HEADER.size:
        raise WireError("malformed", "not an SMP request of one datagram", "check the client's MTU")
    return Request(op == _WRITE, version, group, sequence, command, _map(datagram[_HEADER.size :]))


def reply(request: Request, body: Mapping[str, object]) -> bytes:
    """The answer to a request."""
    data = cbor2.dumps(dict(body), canonical=True)
    op = (_WRITE if request.write else _READ) + 1
    first = op | min(request.version, 1) << _VERSION_SHIFT
    return _HEADER.pack(first, 0, len(data), request.group, request.sequence, request.command) + data


def _map(data: bytes) -> dict[object, object]:
    try:
        decoded = cbor2.loads(data, max_depth=_MAX_DEPTH, allow_indefinite=True, strict_hashable_types=True)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise WireError("malformed", f"SMP: not CBOR: {str(error)[:200]}", "check the client") from error
    if not isinstance(decoded, dict):
        raise WireError("malformed", "SMP: the body is not a map", "check the client")
    return decoded
