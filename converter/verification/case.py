"""A bundle on trial: what was given to check it with, and what running it shows, each done once."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter import flatbuffer, report
from converter.arena import ArenaReport
from converter.bundle import Bundle
from converter.execution import execute
from converter.report import Report
from converter.samples import Samples
from wire import preprocess
from wire.errors import WireError
from wire.limits import MAX_GOLDEN_BYTES
from wire.manifest import MODEL_FILE, Manifest, TensorSpec
from wire.states import NumericsFamily

Int8 = NDArray[np.int8]


class Origin(NamedTuple):
    """What the bundle is said to be made of; as for ``convert``."""

    source: Path
    calibration: Path | None = None
    evaluation: Path | None = None
    training: Path | None = None


class Ran(NamedTuple):
    """One family's outputs."""

    golden: Int8
    scored: Int8
    """On the given samples; empty without them."""
    arena: ArenaReport | None
    """Of TFLM only."""


@dataclass(frozen=True)
class Case:
    """The bundle, and what was given with it."""

    bundle: Bundle
    samples: Samples | None = None
    """Labelled ones."""
    origin: Origin | None = None
    _ran: dict[NumericsFamily, Ran] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        """Of the bundle."""
        return self.bundle.manifest

    @property
    def lineage(self) -> dict[str, Any]:
        """Of the manifest."""
        return self.manifest.lineage

    @property
    def model(self) -> bytes:
        """The file that is shipped."""
        return self.bundle.files[MODEL_FILE]

    @cached_property
    def graph(self) -> flatbuffer.Model:
        """The file, read; InputError when it is damaged."""
        return flatbuffer.parse(self.model)

    @cached_property
    def report(self) -> Report | None:
        """``report.json``; None when the bundle has none, WireError when it is malformed."""
        data = self.bundle.files.get(report.FILE)
        return None if data is None else report.decode(data)

    @property
    def family(self) -> NumericsFamily:
        """Whose rules the file has to keep: TFLM's if it is for both."""
        return min(self.manifest.golden.outputs)

    @cached_property
    def arena(self) -> ArenaReport | None:
        """As TFLM tells it now; None when no target needs TFLM."""
        if NumericsFamily.TFLM not in self.manifest.golden.outputs:
            return None
        return self.run(NumericsFamily.TFLM).arena

    @property
    def same_samples(self) -> bool:
        """Whether the given samples are those that the bundle was evaluated on."""
        said = self.lineage.get("evaluation")
        sha256 = said.get("sha256") if isinstance(said, dict) else None
        return self.samples is not None and sha256 == self.samples.sha256

    @cached_property
    def golden_inputs(self) -> Int8:
        """(k, *input shape without the batch)."""
        return self.read_npy(self.manifest.golden.inputs, self.manifest.input)

    def run(self, family: NumericsFamily) -> Ran:
        """Golden inputs and samples through the model; RefusedError when it does not run."""
        if family not in self._ran:
            inputs, count = self.golden_inputs, len(self.golden_inputs)
            if self.samples is not None:
                ready = preprocess.apply(self.manifest.preprocessing, self.samples.x)
                inputs = np.concatenate([inputs, preprocess.quantise(self.manifest.input, ready)])
            done = execute(family, self.model, inputs, measure_arena=family is NumericsFamily.TFLM)
            self._ran[family] = Ran(done.outputs[:count], done.outputs[count:], done.arena)
        return self._ran[family]

    def read_npy(self, path: str, spec: TensorSpec) -> Int8:
        """Golden vectors of the bundle; WireError when they are not of the tensor ``spec``."""
        data = self.bundle.files[path]
        try:
            if len(data) > MAX_GOLDEN_BYTES:
                raise ValueError(f"over {MAX_GOLDEN_BYTES} bytes")
            values: Int8 = np.load(io.BytesIO(data), allow_pickle=False)
            if values.dtype != np.int8 or list(values.shape[1:]) != spec.shape[1:] or not len(values):
                raise ValueError(f"{values.dtype} of shape {values.shape}")
        except (ValueError, EOFError, AttributeError) as error:
            raise WireError(
                "malformed", f"golden vectors: {str(error)[:120]}", "make the bundle again"
            ) from error
        return values
