"""The board catalogue: one TOML file a board, every figure with its source."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import msgspec

from wire.errors import NotFoundError
from wire.sketch import Count
from wire.states import NumericsFamily


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A concrete device type."""

    name: str
    title: str
    target: str
    core: str
    clock_mhz: float
    ram_bytes: Count
    flash_bytes: Count
    model_ram_bytes: Count
    """RAM left for a model after the firmware's own: a planning figure, see ``reserved``."""
    slot_bytes: Count
    """Flash of one of the two model slots."""
    numerics: NumericsFamily
    reserved: str
    """What the difference between the chip's memory and the model's is for."""
    source: str


def names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


def load(name: str) -> Board:
    """The board ``name``; NotFoundError lists those that there are."""
    if name not in names():
        raise NotFoundError(
            "unknown_board", f"there is no board {name!r}", f"use one of: {', '.join(names())}"
        )
    data = tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text("utf-8"))
    return msgspec.convert({"name": name, **data}, Board)
