"""Compiling and linking with zig's clang, a wheel; results are kept by what went into them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from wire.errors import InputError, RefusedError
from wire.states import Reason

_FIRMWARE: Final = Path(__file__).parent / "firmware"
_TIMEOUT_S: Final = 300.0
_FLAGS: Final = (
    "-target", "thumb-freestanding-eabi", "-std=c99", "-g", "-ffreestanding", "-fno-sanitize=undefined",
    "-fomit-frame-pointer", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
OPTIMISATION: Final = "-O2"
"""Measured: see docs/microcontrollers.md."""
_OVERFLOW: Final = re.compile(
    r"section '?([.\w]+)'? will not fit in region '?(\w+)'?: overflowed by (\d+) bytes"
)


@cache
def compiler_version() -> str:
    """For every figure that depends on it; InputError when it is not installed."""
    try:
        return f"ziglang {version('ziglang')}"
    except PackageNotFoundError as error:
        raise InputError(
            "not_installed", "ziglang is not installed", "pip install 'tinyfleet[mcu]'"
        ) from error


def firmware(cpu: str, symbols: Mapping[str, int], image: bytes, *, optimisation: str = OPTIMISATION) -> Path:
    """The ELF of the runtime for a core, with ``image`` in the first slot.

    RefusedError when code, image or arena do not fit their region, in the linker's figures.
    """
    sources = sorted([*_FIRMWARE.glob("*.c"), *_FIRMWARE.glob("*.S")])
    flags = (*_FLAGS, f"-mcpu={cpu}", optimisation)
    script = _script(symbols)
    inputs = [*_texts(), *map(str.encode, flags), script.encode(), image]

    def link(folder: Path) -> None:
        objects = [_object(source, flags) for source in sources]
        (folder / "firmware.ld").write_text(script)
        (folder / "image.bin").write_bytes(image)
        (folder / "image.S").write_text('.section .image, "a"\n.balign 16\n.incbin "image.bin"\n')
        entry = ["-Wl,--gc-sections", "-Wl,--entry=reset_handler", "-T", "firmware.ld", "-o", "made"]
        _zig(folder, ["cc", *flags, *entry, "image.S", *map(str, objects)])

    return _cached("firmware.elf", inputs, link)


def assembled(source: Path, cpu: str) -> Path:
    """The ELF of one assembly file that needs nothing else and runs anywhere."""
    flags = (*_FLAGS, f"-mcpu={cpu}")

    def build(folder: Path) -> None:
        _zig(folder, ["cc", *flags, "-nostdlib", "-Wl,--entry=0", "-o", "made", str(source)])

    return _cached(f"{source.stem}.elf", [source.read_bytes(), *map(str.encode, flags)], build)


def host_library(source: Path) -> Path:
    """A C file as a shared library for this machine."""
    flags = ("-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")

    def build(folder: Path) -> None:
        _zig(folder, ["cc", *flags, "-o", "made", str(source)])

    return _cached(f"{source.stem}.so", [source.read_bytes(), *map(str.encode, flags)], build)


def _object(source: Path, flags: Sequence[str]) -> Path:
    def build(folder: Path) -> None:
        _zig(folder, ["cc", *flags, "-c", "-o", "made", str(source)])

    return _cached(f"{source.stem}.o", [source.name.encode(), *_texts(), *map(str.encode, flags)], build)


@cache
def _texts() -> tuple[bytes, ...]:
    """Every source: a header may change any object."""
    files = sorted(file for file in _FIRMWARE.iterdir() if file.suffix in {".c", ".h", ".S", ".ld"})
    return tuple(file.read_bytes() for file in files)


def _script(symbols: Mapping[str, int]) -> str:
    text = (_FIRMWARE / "firmware.ld").read_text()
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda word: str(symbols.get(word[0], word[0])), text)


def _cached(name: str, inputs: Sequence[bytes], build: Callable[[Path], None]) -> Path:
    """The file that ``build`` leaves as ``made`` in a folder, kept by everything that went into it."""
    digest = hashlib.sha256(compiler_version().encode())
    for part in inputs:
        digest.update(len(part).to_bytes(8, "little") + part)
    kept = _cache_folder() / digest.hexdigest()[:32] / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=kept.parent) as folder:
            build(Path(folder))
            # Whoever else built the same meanwhile has built the same bytes.
            (Path(folder) / "made").replace(kept)
    return kept


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinyfleet" / "firmware"


def _zig(folder: Path, arguments: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(
            "compiler", f"the compiler was not done after {_TIMEOUT_S:g} s", "try again"
        ) from error
    if done.returncode:
        raise _failure(done.stderr)


def _failure(said: str) -> RefusedError:
    overflow = _OVERFLOW.search(said)
    if overflow is None:
        words = next((line for line in said.splitlines() if "error" in line), said.strip()[:200])
        return RefusedError(
            "compiler", f"the firmware does not build: {words[:200]}", "see the compiler's words"
        )
    section, region, over = overflow.groups()
    code = {"ARENA": Reason.OUT_OF_RAM, "RAM": Reason.OUT_OF_RAM}.get(region, Reason.OUT_OF_FLASH)
    return RefusedError(
        code, f"{section} is {int(over):,} bytes too large for {region}", "use a board with more memory"
    )
