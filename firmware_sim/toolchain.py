"""Compiling and linking with zig's clang, a wheel; results are kept by what went into them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from wire.errors import InputError, RefusedError, StoreError
from wire.states import Reason

_FIRMWARE: Final = Path(__file__).parent / "firmware"
_TIMEOUT_S: Final = 300.0
_FLAGS: Final = (
    "-target", "thumb-freestanding-eabi", "-std=c99", "-g", "-ffreestanding", "-fno-sanitize=undefined",
    "-fomit-frame-pointer", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
OPTIMISATION: Final = "-Os"
"""Measured (docs/microcontrollers.md): a third less code than -O2 for the same cycles."""
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
            "not_installed", "ziglang is not installed", "pip install 'tinyfleet[sim]'"
        ) from error


def firmware(cpu: str, symbols: Mapping[str, int], image: bytes, *, optimisation: str = OPTIMISATION) -> Path:
    """The ELF of the runtime for a core, with ``image`` in the first slot.

    RefusedError when code, image or arena do not fit their region, in the linker's figures.
    """
    sources = sorted([*_FIRMWARE.glob("*.c"), *_FIRMWARE.glob("*.S")])
    return build(cpu, symbols, image, sources, optimisation=optimisation)


def build(
    cpu: str,
    symbols: Mapping[str, int],
    image: bytes,
    sources: Sequence[Path],
    *,
    optimisation: str,
    options: Sequence[str] = (),
) -> Path:
    """The same of any sources, C or assembly; ``options`` go to the compiler behind our own flags."""
    flags = (*_FLAGS, f"-mcpu={cpu}", optimisation, *options)
    script = _script(symbols)
    own = [part for source in sources for part in (source.name.encode(), source.read_bytes())]
    inputs = [*_texts(), *own, *map(str.encode, flags), script.encode(), image]

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


def host_library(name: str, sources: Sequence[Path]) -> Path:
    """C files, and the headers beside them, as a shared library for this machine."""
    # Symbolic: our own functions win over those that the C library has by the same name.
    shared = ("-shared", "-fPIC", "-Wl,-Bsymbolic")
    flags = ("-O2", *shared, "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror")
    beside = sorted({header for source in sources for header in source.parent.glob("*.h")})

    def build(folder: Path) -> None:
        _zig(folder, ["cc", *flags, "-o", "made", *map(str, sources)])

    texts = [file.read_bytes() for file in (*sources, *beside)]
    return _cached(f"{name}.so", [*texts, *map(str.encode, flags)], build)


def runtime_library() -> Path:
    """The firmware's runtime and kernels for this machine: the same C, without assembly."""
    sources = [file for file in sorted(_FIRMWARE.glob("*.c")) if file.stem not in ("main", "startup")]
    return host_library("runtime", sources)


def _object(source: Path, flags: Sequence[str]) -> Path:
    def build(folder: Path) -> None:
        _zig(folder, ["cc", *flags, "-c", "-o", "made", str(source)])

    inputs = [source.name.encode(), source.read_bytes(), *_texts(), *map(str.encode, flags)]
    return _cached(f"{source.stem}.o", inputs, build)


@cache
def _texts() -> tuple[bytes, ...]:
    """Every source: a header may change any object."""
    files = sorted(file for file in _FIRMWARE.iterdir() if file.suffix in {".c", ".h", ".S", ".ld"})
    return tuple(file.read_bytes() for file in files)


def _script(symbols: Mapping[str, int]) -> str:
    text = (_FIRMWARE / "firmware.ld").read_text()
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda word: str(symbols.get(word[0], word[0])), text)


def _cached(name: str, inputs: Sequence[bytes], build: Callable[[Path], None]) -> Path:
    """The file that ``build`` leaves as ``made`` in a folder, kept by everything that went into it.

    One that is not whole any more is built again. StoreError when the cache cannot be written.
    """
    digest = hashlib.sha256(compiler_version().encode())
    for part in (name.encode(), *inputs):
        digest.update(len(part).to_bytes(8, "little") + part)
    folder = _cache_folder() / digest.hexdigest()[:32]
    try:
        if not _whole(folder / name):
            _keep(folder, name, build)
    except OSError as error:
        raise StoreError(
            "cache",
            f"cannot write {folder.parent}: {error.strerror}",
            "set XDG_CACHE_HOME to a folder that can",
        ) from error
    return folder / name


def _keep(folder: Path, name: str, build: Callable[[Path], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as work:
        made = Path(work) / "kept"
        build(Path(work))
        made.mkdir()
        (Path(work) / "made").replace(made / name)
        _seal_of(made / name).write_bytes(_digest(made / name))
        try:
            made.rename(folder)
        except OSError:
            # Whoever else built the same meanwhile was faster.
            if not _whole(folder / name):
                raise


def _whole(file: Path) -> bool:
    return file.exists() and _seal_of(file).exists() and _seal_of(file).read_bytes() == _digest(file)


def _seal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).hexdigest().encode()


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
