"""Flatbuffers whose byte vectors lie where the schema's ``force_align`` wants them."""

from __future__ import annotations

from typing import Any

import flatbuffers

from converter.planning.buffers import ALIGNMENT


class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """For the schema's Python code, which leaves alignment out.

    A core that faults on unaligned loads reads int32 biases and memory plans in place.
    """

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        """Start one; bytes at multiples of 16 in the file."""
        return super().StartVector(elemSize, numElems, ALIGNMENT if elemSize == 1 else alignment)
