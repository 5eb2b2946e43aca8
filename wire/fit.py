"""What a model asks of a device besides memory: of its software, and of the model that it runs now."""

from __future__ import annotations

from itertools import takewhile

from wire.errors import RefusedError
from wire.manifest import Manifest
from wire.messages import Hardware
from wire.states import Reason


def check_runtime(manifest: Manifest, hardware: Hardware) -> None:
    """RefusedError when the runtime lacks an operator or is too old, or the device a preprocessing."""
    ops = manifest.image_ops if hardware.format == "image" else manifest.ops
    lacking = sorted(set(ops) - set(ops if hardware.ops is None else hardware.ops))
    if lacking:
        raise RefusedError(
            Reason.UNSUPPORTED_OP,
            f"{hardware.runtime} does not execute {', '.join(lacking)[:120]}",
            "use other layers, or ship it to boards whose runtime does",
        )
    name, _, version = hardware.runtime.rpartition(" ")
    least = manifest.runtimes.get(name)
    if least is not None and _numbers(version) < _numbers(least):
        raise RefusedError(
            Reason.OLD_RUNTIME,
            f"needs {name} {least}, {hardware.board} has {version[:40]}",
            "update the device's software first",
        )
    if manifest.preprocessing.kind not in hardware.preprocessing:
        raise RefusedError(
            Reason.PREPROCESSING,
            f"needs preprocessing {manifest.preprocessing.kind}, {hardware.board} does not have it",
            "update the device's software first",
        )


def check_schema(old: Manifest, new: Manifest) -> None:
    """RefusedError when ``new`` takes other windows or gives other classes than ``old``.

    Shapes count without the batch. A model without labels says nothing of what its classes mean.
    """
    for what, before, after in (
        ("takes windows of shape", old.input.shape[1:], new.input.shape[1:]),
        ("gives outputs of shape", old.output.shape[1:], new.output.shape[1:]),
    ):
        if before != after:
            raise _other_schema(old, new, what, str(before), str(after))
    if old.labels and new.labels and old.labels != new.labels:
        pairs = zip([*old.labels, ""], [*new.labels, ""], strict=False)
        label, other = next(pair for pair in pairs if pair[0] != pair[1])
        raise _other_schema(old, new, "calls a class", repr(label), repr(other))


def why_not_beside(old: Manifest | None, new: Manifest, hardware: Hardware) -> str:
    """Why the confirmed model ``old`` and ``new`` cannot be in RAM together; empty when they can."""
    if old is None:
        return "there is no confirmed model"
    needs = [manifest.targets[hardware.target].ram_bytes for manifest in (old, new)]
    if sum(needs) > hardware.ram_bytes:
        return f"both models need {sum(needs)} bytes of RAM, {hardware.board} gives {hardware.ram_bytes}"
    return ""


def _other_schema(old: Manifest, new: Manifest, what: str, before: str, after: str) -> RefusedError:
    return RefusedError(
        Reason.SCHEMA,
        f"{new.model} v{new.version} {what} {after}, {old.model} v{old.version} {before}"[:240],
        "assign it with new_schema if the application is ready for it",
    )


def _numbers(version: str) -> tuple[int, ...]:
    """The leading dotted integers; zeros at the end do not count, so that 2 and 2.0 are the same."""
    pieces = [int(piece) for piece in takewhile(_is_number, version.split("."))]
    while pieces and not pieces[-1]:
        pieces.pop()
    return tuple(pieces)


def _is_number(piece: str) -> bool:
    return piece.isascii() and piece.isdigit() and len(piece) <= 9
