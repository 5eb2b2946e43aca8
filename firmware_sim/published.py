"""What others measured on real boards for MLPerf Tiny's reference models, recognised by their work."""

from __future__ import annotations

import msgspec

from converter import calibration
from converter.flatbuffer import parse
from converter.macs import count


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One submission's figure."""

    stack: str
    board: str
    clock_mhz: float
    latency_ms: float
    cycles: int
    """Latency times clock."""
    source: str


def known_as(model: bytes) -> str | None:
    """kws, ic, vww or ad, when every multiply-accumulate is that model's; else None."""
    work = count(parse(model))
    alike = (
        name
        for name, known in calibration.load().models.items()
        if (known.conv, known.depthwise, known.dense) == (work.conv, work.depthwise, work.dense)
    )
    return next(alike, None)


def of(model: bytes, core: str) -> tuple[Published, ...]:
    """All results for the model on boards with the core, the fastest in cycles first."""
    name, data = known_as(model), calibration.load()
    found = [
        Published(
            stack=data.stacks[result.stack].title,
            board=result.board,
            clock_mhz=result.clock_mhz,
            latency_ms=round(result.cycles[name] / (result.clock_mhz * 1e3), 1),
            cycles=round(result.cycles[name]),
            source=data.stacks[result.stack].source,
        )
        for result in data.results
        if name in result.cycles and result.core == core
    ]
    return tuple(sorted(found, key=lambda each: each.cycles))
