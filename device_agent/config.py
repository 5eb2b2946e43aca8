"""``agent.toml``: what one Linux device is, whom it trusts and what it senses."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

import boards
from runtimes import runtime_version
from wire import preprocess
from wire.errors import FleetError, InputError
from wire.limits import MAX_ROOT_BYTES
from wire.messages import Hardware, Name
from wire.samples import MAX_SAMPLES
from wire.sketch import Count
from wire.trust import load_root

if TYPE_CHECKING:
    from tuf.api.metadata import Root

_MAX_CONFIG_BYTES: Final = 64 * 1024
_TARGETS: Final = {"aarch64": "linux-aarch64", "x86_64": "linux-x86_64"}


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables: an unknown key is an error, for it is a misspelt one."""


class Trust(_Table, frozen=True, kw_only=True):
    """Files of the two roots."""

    image_root: str
    director_root: str


class ReplayConfig(_Table, frozen=True, kw_only=True, tag_field="kind", tag="replay"):
    """Recorded windows, played again."""

    file: str
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 1.0
    groups: list[int | str] = []
    start: Count = 0
    stride: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = 1


class ProgramConfig(_Table, frozen=True, kw_only=True, tag_field="kind", tag="program"):
    """A live sensor: a program that prints windows, see device_agent.program_sensor."""

    command: Annotated[list[str], msgspec.Meta(min_length=1)]


class SamplesConfig(_Table, frozen=True, kw_only=True):
    """Whether raw windows may leave the device."""

    keep: Annotated[int, msgspec.Meta(ge=0, le=MAX_SAMPLES)] = 0
    """How many are kept for the server to ask for; 0: none, and none is sent."""


class OutboxConfig(_Table, frozen=True, kw_only=True):
    """Bounds of what waits for the broker."""

    max_entries: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    max_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 16 * 1024 * 1024


class AgentConfig(_Table, frozen=True, kw_only=True):
    """All of ``agent.toml``; relative paths are relative to it."""

    device: Name
    broker: str
    board: Name
    state_dir: str
    trust: Trust
    sensor: ReplayConfig | ProgramConfig
    outbox: OutboxConfig = OutboxConfig()
    samples: SamplesConfig = SamplesConfig()
    broker_password_file: str | None = None
    broker_ca_file: str | None = None


def load_config(file: Path) -> AgentConfig:
    """Read and check; InputError names the file and the key."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_CONFIG_BYTES + 1)
        if len(text) > _MAX_CONFIG_BYTES:
            raise InputError(
                "bad_config", f"{file} is over {_MAX_CONFIG_BYTES} bytes", "is it an agent.toml?"
            )
        return msgspec.convert(tomllib.loads(text.decode()), AgentConfig)
    except OSError as error:
        raise InputError("bad_config", f"cannot read {file}: {error.strerror}", "give --config") from error
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("bad_config", f"{file}: {error}", "correct that key") from error


def read_root(file: Path) -> Root:
    """A root of trust that the device was provisioned with; InputError or the reason it is refused."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise InputError(
            "no_root", f"cannot read {file}: {error.strerror}", "make the roots: tinyfleet trust init"
        ) from error
    try:
        return load_root(data)
    except FleetError as error:
        raise type(error)(error.code, f"{file}: {error.message}", error.hint) from error


def hardware_of(board_name: str) -> Hardware:
    """What models must fit, from the board catalogue."""
    board = boards.load(board_name)
    return Hardware(
        target=board.target,
        board=board.name,
        numerics=board.numerics,
        runtime=runtime_version(board.numerics),
        ram_bytes=board.model_ram_bytes,
        flash_bytes=board.slot_bytes,
        preprocessing=preprocess.KINDS,
    )


def check_machine(hardware: Hardware, machine: str | None = None) -> None:
    """InputError when the board is another kind of machine than the one this runs on."""
    machine = machine or platform.machine()
    target = _TARGETS.get(machine, f"linux-{machine}")
    if hardware.target != target:
        raise InputError(
            "wrong_machine",
            f"board {hardware.board} is {hardware.target}, this machine is {target}",
            "name the right board, or use: tinyfleet sim",
        )
