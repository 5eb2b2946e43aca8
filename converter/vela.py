"""What a model costs on an Arm Ethos-U, by ``vela`` (the package ethos-u-vela, our extra ``npu``).

Vela's performance figures are estimates of its cycle model, not measurements.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from wire.errors import InputError, NotFoundError, RefusedError
from wire.limits import MAX_BUNDLE_BYTES

DEFAULT_TIMEOUT_S: Final = 300.0
_ACCELERATOR: Final = re.compile(r"ethos-u(55|65|85)-\d{2,4}")
_MAX_SUMMARY_BYTES: Final = 64 * 1024
_KIB: Final = 1024


class NpuCost(msgspec.Struct, frozen=True, kw_only=True):
    """One inference, as Vela's summary says; memory in bytes (its CSV has KiB)."""

    accelerator: str
    system_config: str
    memory_mode: str
    clock_hz: float
    macs: int
    """With pooling and softmax, unlike ``converter.macs``."""
    cycles: int
    latency_ms: float
    file_bytes: int
    """Of the compiled ``.tflite``: weights, commands and what is around them."""
    sram_bytes: int
    dram_bytes: int
    flash_bytes: int
    """On chip and off chip: weights and commands."""
    npu_operators: int | None
    """After Vela's own rewriting; None when it did not say."""
    cpu_operators: int | None


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A model for the accelerator, and its cost."""

    model: bytes
    cost: NpuCost


def compile_for(
    model: bytes, accelerator: str, *, executable: str | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Compiled:
    """Compile an int8 ``.tflite`` for ``accelerator``, such as ``ethos-u55-128``.

    InputError for another name, NotFoundError when there is no ``vela``, RefusedError in Vela's words
    when it fails, takes too long or gives no summary.
    """
    if not _ACCELERATOR.fullmatch(accelerator):
        raise InputError("bad_accelerator", f"{accelerator!r} is no Ethos-U", "give one like ethos-u55-128")
    found = _installed() if executable is None else shutil.which(executable)
    if found is None:
        name = executable or "vela"
        raise NotFoundError(
            "no_vela", f"there is no {name} to compile for {accelerator}", "pip install 'tinyfleet[npu]'"
        )
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        said = _run([found, "--accelerator-config", accelerator, "--output-dir", "."], folder, timeout_s)
        row = _summary(folder)
        made = _read(folder / "model_vela.tflite", MAX_BUNDLE_BYTES)
        return Compiled(model=made, cost=_cost(accelerator, row, said, len(made)))


def _installed() -> str | None:
    """The one of this environment: its version is known, another's on the PATH is not."""
    return shutil.which(Path(sys.executable).with_name("vela"))


def _run(command: list[str], folder: Path, timeout_s: float) -> str:
    try:
        done = subprocess.run(
            [*command, "model.tflite"],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(f"took longer than {timeout_s:g} s") from error
    except OSError as error:
        raise _refused(f"does not start: {error.strerror}") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _refused(f"failed: {words[-1][:200] if words else f'exit code {done.returncode}'}")
    return done.stdout


def _summary(folder: Path) -> Mapping[str, str]:
    files = sorted(folder.glob("*_summary_*.csv"))
    if not files:
        raise _refused("gave no summary")
    rows = list(csv.DictReader(_read(files[0], _MAX_SUMMARY_BYTES).decode("utf-8", "replace").splitlines()))
    if len(rows) != 1:
        raise _refused(f"gave a summary of {len(rows)} rows")
    return rows[0]


def _cost(accelerator: str, row: Mapping[str, str], said: str, file_bytes: int) -> NpuCost:
    try:
        flash = float(row["on_chip_flash_memory_used"]) + float(row["off_chip_flash_memory_used"])
        return NpuCost(
            accelerator=accelerator,
            system_config=row["system_config"],
            memory_mode=row["memory_mode"],
            clock_hz=float(row["core_clock"]),
            macs=int(row["nn_macs"]),
            cycles=int(float(row["cycles_total"])),
            latency_ms=1000 * float(row["inference_time"]),
            file_bytes=file_bytes,
            sram_bytes=round(_KIB * float(row["sram_memory_used"])),
            dram_bytes=round(_KIB * float(row["dram_memory_used"])),
            flash_bytes=round(_KIB * flash),
            npu_operators=_operators("NPU", said),
            cpu_operators=_operators("CPU", said),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refused(f"gave a summary without {str(error)[:80]}") from error


def _operators(where: str, said: str) -> int | None:
    found = re.search(rf"{where} operators = (\d+)", said)
    return int(found[1]) if found else None


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise _refused(f"gave no {file.name}") from error
    if len(data) > limit:
        raise _refused(f"gave a {file.name} of over {limit} bytes")
    return data


def _refused(what: str) -> RefusedError:
    return RefusedError("vela_refused", f"vela {what}", "run vela on the file to see more")
