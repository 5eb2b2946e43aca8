"""A name for the facts that fits are judged by: the boards, and the results that latency is fitted to."""

from __future__ import annotations

from functools import cache

import msgspec

import boards
from converter import calibration
from wire.manifest import digest_of


@cache
def digest() -> str:
    """SHA-256; the same for the same catalogue, however it is written down."""
    facts = [list(map(boards.load, boards.names())), calibration.load()]
    return digest_of(msgspec.json.encode(facts, order="deterministic"))
