"""What a bundle says of itself, beside what it ships: files for people, which no device downloads."""

from __future__ import annotations

import msgspec

from converter import card, memory_map
from converter.flatbuffer import parse
from converter.report import FILE as REPORT_FILE
from converter.report import Report, decode, encode
from wire.manifest import CARD_FILE, Manifest


def render(manifest: Manifest, report: Report, model: bytes) -> dict[str, bytes]:
    """By path; the same bytes for the same facts. Of ``manifest`` the files are not looked at."""
    # As a reader of the bundle has them: dictionaries in the order of their keys.
    report = decode(encode(report))
    lineage = msgspec.json.decode(msgspec.json.encode(manifest.lineage, order="sorted"))
    manifest = msgspec.structs.replace(manifest, lineage=lineage)
    drawn = None if report.arena is None else memory_map.draw(model, parse(model), report.arena)
    files = {REPORT_FILE: encode(report)}
    if drawn is not None:
        files[memory_map.FILE] = drawn
    files[CARD_FILE] = card.render(manifest, report, has_map=drawn is not None).encode()
    return files
