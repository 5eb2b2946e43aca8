"""What a run is known by: what determines it, and what came out.

``run_id`` is over everything that determines the weights on one machine; ``weights_digest`` is over the
weights themselves. A ``.keras`` file is not compared: its archive holds the date it was made.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from wire.manifest import digest_of

PACKAGES: Final = ("keras", "numpy", "tensorflow")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_MAX_CPU_INFO_BYTES: Final = 1024 * 1024


def run_id(what: Mapping[str, Any]) -> str:
    """SHA-256 of the JSON of ``what``, keys sorted."""
    return digest_of(msgspec.json.encode(what, order="deterministic"))


def weights_digest(model: Any) -> str:
    """SHA-256 over path, shape and little-endian float32 values of every weight, in the model's order."""
    whole = hashlib.sha256()
    for weight in model.weights:
        values = np.asarray(weight)
        whole.update(msgspec.json.encode((weight.path, values.shape, str(values.dtype))))
        whole.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return whole.hexdigest()


def packages() -> dict[str, str]:
    """Versions of what computes."""
    return {name: version(name) for name in PACKAGES}


def machine() -> dict[str, str]:
    """What else can move a last bit: the interpreter, the kernel's name and the processor."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        with _CPU_INFO.open() as stream:
            text = stream.read(_MAX_CPU_INFO_BYTES)
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
