"""A bundle as C sources, for firmware that has a TFLM of its own and not our runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from converter import resolver
from converter.bundle import Bundle, check_free
from wire.errors import RefusedError, StoreError
from wire.manifest import MODEL_FILE
from wire.states import NumericsFamily

ALIGNMENT_BYTES: Final = 16
"""What TFLM asks of a model in memory (tflite-micro, ``micro_allocator.cc``)."""
_A_LINE: Final = 12


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    folder: str
    digest: str
    """Of the bundle that it was made of."""
    files: list[str]
    arena_bytes: int
    operators: list[str]
    """The resolver's calls."""


def sources(bundle: Bundle) -> dict[str, bytes]:
    """Files by name. RefusedError for a bundle without a target that runs TFLM."""
    model, arena = bundle.files[MODEL_FILE], arena_bytes(bundle)
    title = f"{bundle.manifest.model} v{bundle.manifest.version}, bundle {bundle.digest}"
    texts = {
        "model_data.h": data_header(title, len(model), arena),
        "model_data.c": data_source(title, model),
        "model_ops.h": resolver.header(bundle.manifest.ops),
    }
    return {MODEL_FILE: model, **{name: text.encode() for name, text in texts.items()}}


def arena_bytes(bundle: Bundle) -> int:
    """The arena that TFLM needs, measured on a 64-bit host: enough for 32-bit cores."""
    needs = [each for each in bundle.manifest.targets.values() if each.numerics is NumericsFamily.TFLM]
    if not needs:
        raise RefusedError(
            "no_tflm_target",
            "the bundle is for no target that runs TFLM, so its arena was not measured",
            "convert it for one, such as --target cortex-m4",
        )
    return max(each.ram_bytes for each in needs)


def export(bundle: Bundle, out: Path) -> Exported:
    """Write ``sources``; InputError when ``out`` is taken, StoreError when it cannot be written."""
    check_free(out)
    files = sources(bundle)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {out}: {error.strerror}", "check the path") from error
    return Exported(
        folder=str(out),
        digest=bundle.digest,
        files=sorted(files),
        arena_bytes=arena_bytes(bundle),
        operators=resolver.calls(bundle.manifest.ops),
    )


def data_header(title: str, model_bytes: int, arena: int) -> str:
    """``model_data.h``."""
    return f"""\
/* {title} */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#ifdef __cplusplus
extern "C" {{
#endif

#define MODEL_DATA_BYTES {model_bytes}u
/* The smallest tensor arena that TFLM's reference kernels ran in, on a 64-bit host. Kernels with
   scratch buffers of their own (CMSIS-NN, ESP-NN) need more. Align it to {ALIGNMENT_BYTES} bytes. */
#define MODEL_ARENA_BYTES {arena}u

/* Aligned to {ALIGNMENT_BYTES} bytes. */
extern const unsigned char model_data[MODEL_DATA_BYTES];

#ifdef __cplusplus
}}
#endif

#endif /* MODEL_DATA_H_ */
"""


def data_source(title: str, model: bytes) -> str:
    """``model_data.c``, C11: the file as an array."""
    starts = range(0, len(model), _A_LINE)
    lines = ("  " + ", ".join(f"0x{byte:02x}" for byte in model[start : start + _A_LINE]) for start in starts)
    return (
        f"/* {title} */\n"
        '#include "model_data.h"\n\n'
        f"_Alignas({ALIGNMENT_BYTES}) const unsigned char model_data[MODEL_DATA_BYTES] = {{\n"
        + ",\n".join(lines)
        + "\n};\n"
    )
