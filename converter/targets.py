"""What a model needs on each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import boards
from converter import golden
from converter.flatbuffer import Model
from wire.errors import NotFoundError
from wire.manifest import IMAGE_FILE, MODEL_FILE, TargetNeeds
from wire.states import NumericsFamily


def families(names: Sequence[str]) -> dict[str, NumericsFamily]:
    """Numerics family of each target, sorted; all targets when none is named. NotFoundError if unknown."""
    known = {board.target: board.numerics for board in map(boards.load, boards.names())}
    for name in names:
        if name not in known:
            raise NotFoundError(
                "unknown_target", f"there is no target {name!r}", f"use: {', '.join(sorted(known))}"
            )
    return {name: known[name] for name in sorted(set(names) or known)}


def litert_bytes(model_bytes: int, activation_bytes: int) -> int:
    """Upper bound for LiteRT, computed and not measured.

    The file, XNNPACK's own copy of its weights, and every activation in memory of its own.
    """
    return 2 * model_bytes + activation_bytes


def ram_bytes(
    model: Model, model_bytes: int, arena_bytes: int | None, image_arena_bytes: int | None
) -> dict[NumericsFamily, int]:
    """What each family asks for; of microcontrollers enough for either runtime, TFLM or our own."""
    ram = {NumericsFamily.XNNPACK: litert_bytes(model_bytes, model.activation_bytes)}
    if arena_bytes is not None:
        ram[NumericsFamily.TFLM] = max(arena_bytes, image_arena_bytes or 0)
    return ram


def needs(
    targets: Mapping[str, NumericsFamily], ram_bytes: Mapping[NumericsFamily, int], sizes: Mapping[str, int]
) -> dict[str, TargetNeeds]:
    """RAM by family, and flash for the files (bytes by path) that the target's runtime needs."""
    return {
        name: TargetNeeds(numerics=family, ram_bytes=ram_bytes[family], flash_bytes=_stored(family, sizes))
        for name, family in targets.items()
    }


def _stored(family: NumericsFamily, sizes: Mapping[str, int]) -> int:
    """Model, golden inputs and the family's outputs; of microcontrollers the larger form of the model."""
    forms = [sizes[MODEL_FILE]]
    if family is NumericsFamily.TFLM:
        forms.append(sizes.get(IMAGE_FILE, 0))
    return max(forms) + sizes[golden.INPUTS_FILE] + sizes[golden.output_file(family)]


def slots(needed: Mapping[str, TargetNeeds]) -> dict[NumericsFamily, int]:
    """Bytes that a slot has to hold, by family."""
    return {needs.numerics: needs.flash_bytes for needs in needed.values()}
