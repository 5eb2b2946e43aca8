"""The part of a bundle's payload that one kind of device needs, and whether it fits.

The files that devices use travel as one payload, cut into chunks that the server publishes once. A device
fetches the chunks from the first of its own files to the last, and keeps just that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wire.errors import RefusedError, TrustError
from wire.fit import check_runtime
from wire.manifest import IMAGE_FILE, MODEL_FILE, FileEntry, Manifest, TargetNeeds, digest_of
from wire.messages import Hardware
from wire.states import Reason

_MODEL_OF: Final = {"tflite": MODEL_FILE, "image": IMAGE_FILE}


class Part(NamedTuple):
    """A stretch of the payload: whole files, in the payload's order."""

    start: int
    """Offset in the payload, bytes."""
    entries: tuple[FileEntry, ...]

    @property
    def length(self) -> int:
        """Bytes."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def end(self) -> int:
        """Offset in the payload behind it."""
        return self.start + self.length


def model_file(hardware: Hardware) -> str:
    """The model as this hardware's runtime executes it."""
    return _MODEL_OF[hardware.format]


def part_of(manifest: Manifest, hardware: Hardware) -> Part:
    """RefusedError when the bundle has no model of the form, or no golden outputs of the family."""
    entries = manifest.device_files
    places = {entry.path: place for place, entry in enumerate(entries)}
    golden = manifest.golden.outputs.get(hardware.numerics, "")
    wanted = (model_file(hardware), manifest.golden.inputs, golden)
    if not all(path in places for path in wanted):
        raise RefusedError(
            Reason.WRONG_TARGET,
            f"{manifest.model} v{manifest.version} has no {hardware.format} for {hardware.numerics}",
            f"convert it for {hardware.target}, of operators that its runtime executes",
        )
    found = sorted(places[path] for path in wanted)
    start = sum(entry.bytes for entry in entries[: found[0]])
    return Part(start, tuple(entries[found[0] : found[-1] + 1]))


def split_part(part: Part, data: bytes) -> dict[str, bytes]:
    """Cut a part into its files and check each; TrustError when one is not what was signed."""
    if len(data) != part.length:
        raise TrustError(
            Reason.DIGEST_MISMATCH,
            f"payload has {len(data)} bytes, the manifest says {part.length}",
            "download it again",
        )
    files: dict[str, bytes] = {}
    start = 0
    for entry in part.entries:
        content = data[start : start + entry.bytes]
        if digest_of(content) != entry.sha256:
            raise TrustError(
                Reason.DIGEST_MISMATCH, f"{entry.path} is not the file that was signed", "download it again"
            )
        files[entry.path] = content
        start += entry.bytes
    return files


def check_fits(manifest: Manifest, hardware: Hardware) -> TargetNeeds:
    """What the model needs on this hardware; RefusedError when it cannot run there."""
    needs = check_memory(manifest, hardware)
    check_runtime(manifest, hardware)
    return needs


def check_memory(manifest: Manifest, hardware: Hardware) -> TargetNeeds:
    """The part of it that also holds for a model which has run there; RefusedError."""
    needs = manifest.targets.get(hardware.target)
    if needs is None or needs.numerics is not hardware.numerics:
        raise RefusedError(
            Reason.WRONG_TARGET,
            f"{manifest.model} v{manifest.version} is not built for {hardware.target} ({hardware.numerics})",
            f"convert it with --target {hardware.target}",
        )
    if needs.ram_bytes > hardware.ram_bytes:
        raise RefusedError(
            Reason.OUT_OF_RAM,
            f"needs {needs.ram_bytes} bytes of RAM, {hardware.board} gives {hardware.ram_bytes}",
            "ship a smaller model to this board",
        )
    if (flash_bytes := part_of(manifest, hardware).length) > hardware.flash_bytes:
        raise RefusedError(
            Reason.OUT_OF_FLASH,
            f"needs {flash_bytes} bytes of flash, {hardware.board} gives {hardware.flash_bytes}",
            "ship a smaller model to this board",
        )
    return needs
