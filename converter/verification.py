"""Checking a bundle by doing again what its manifest claims."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from tuf.api.metadata import Root

from converter import calibration_index, evidence, flatbuffer, lint, samples, scoring
from converter.bundle import Bundle
from converter.execution import execute
from converter.gate import Verdict
from wire import preprocess
from wire.errors import TrustError, WireError
from wire.limits import MAX_GOLDEN_BYTES
from wire.manifest import MODEL_FILE, Score, TensorSpec
from wire.states import NumericsFamily, Reason
from wire.trust import verify_manifest


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What held."""

    digest: str
    golden: dict[NumericsFamily, int]
    """Golden vectors that gave exactly the promised outputs: all of them."""
    scores: dict[NumericsFamily, Score]
    """On the given evaluation samples."""
    same_samples: bool
    """Whether those are the samples of the manifest's evaluation; its scores then held too."""
    gate: Verdict | None = None
    """The gate's verdict, when it was computed again from the same samples and held."""


def verify_bundle(bundle: Bundle, root: Root, now: datetime, evaluation: Path | None = None) -> Verified:
    """Signature, model, golden vectors and, with ``evaluation``, scores.

    Raises TrustError for the first claim that does not hold, RefusedError when the model does not run.
    """
    manifest = bundle.manifest
    verify_manifest(root, bundle.artifact, bundle.digest, now)
    model = bundle.files[MODEL_FILE]
    claimed = (manifest.input, manifest.output)
    tflm = NumericsFamily.TFLM
    family = tflm if tflm in manifest.golden.outputs else NumericsFamily.XNNPACK
    if lint.check(flatbuffer.parse(model), family) != claimed:
        raise TrustError(
            "false_manifest", "the model has other tensors than the manifest says", "convert again"
        )
    inputs = _read_npy(bundle.files[manifest.golden.inputs], manifest.input)
    golden = {
        family: _check_golden(family, model, inputs, _read_npy(bundle.files[path], manifest.output))
        for family, path in manifest.golden.outputs.items()
    }
    scores: dict[NumericsFamily, Score] = {}
    same, verdict = False, None
    if evaluation is not None:
        given = samples.load(evaluation, labelled=True)
        same = _claimed_sha256(manifest.lineage) == given.sha256
        if same:
            given = calibration_index.evaluated(given, manifest.lineage, bundle.files)
        outputs = _outputs(bundle, given, list(golden))
        verdict = evidence.claimed(manifest.lineage)
        scores = _scores(bundle, given, outputs, verdict)
        if same and scores != manifest.evaluation.int8:
            raise TrustError(
                "false_scores", "the model scores otherwise than the manifest says", "convert again"
            )
        verdict = _check_gate(bundle, given, outputs, verdict) if same else None
    return Verified(digest=bundle.digest, golden=golden, scores=scores, same_samples=same, gate=verdict)


def _check_gate(
    bundle: Bundle, given: samples.Samples, outputs: evidence.Outputs, said: Verdict | None
) -> Verdict | None:
    if said is None:
        return None
    manifest = bundle.manifest
    if evidence.FILE not in bundle.files:
        raise TrustError("false_evidence", "the gate's evidence is missing", "convert again")
    floats = evidence.unpack(bundle.files[evidence.FILE])
    evidence.check_again(said, manifest.preprocessing, given, manifest.output, floats, outputs)
    return said


def _check_golden(
    family: NumericsFamily, model: bytes, inputs: NDArray[np.int8], expected: NDArray[np.int8]
) -> int:
    outputs = execute(family, model, inputs).outputs
    if outputs.shape != expected.shape:
        raise TrustError(Reason.SELF_TEST, f"golden vectors ({family}) of another shape", "convert again")
    wrong = int((outputs != expected).reshape(len(outputs), -1).any(axis=1).sum())
    if wrong:
        raise TrustError(
            Reason.SELF_TEST,
            f"{wrong} of {len(inputs)} golden vectors give another output in {family}",
            "the model is not the one they were made with; convert again",
        )
    return len(inputs)


def _outputs(
    bundle: Bundle, given: samples.Samples, families: list[NumericsFamily]
) -> dict[NumericsFamily, NDArray[np.int8]]:
    manifest, model = bundle.manifest, bundle.files[MODEL_FILE]
    inputs = preprocess.quantise(manifest.input, preprocess.apply(manifest.preprocessing, given.x))
    return {family: execute(family, model, inputs).outputs for family in families}


def _scores(
    bundle: Bundle, given: samples.Samples, outputs: evidence.Outputs, said: Verdict | None
) -> dict[NumericsFamily, Score]:
    if given.y is None:
        raise ValueError("labelled samples always have classes")
    count = int(np.prod(bundle.manifest.output.shape))
    if not scoring.has_classes("top1" if said is None else said.metric, count):
        return {}
    return {family: scoring.score(scoring.answers(seen), given.y) for family, seen in outputs.items()}


def _claimed_sha256(lineage: dict[str, Any]) -> str | None:
    evaluation = lineage.get("evaluation")
    return evaluation.get("sha256") if isinstance(evaluation, dict) else None


def _read_npy(data: bytes, spec: TensorSpec) -> NDArray[np.int8]:
    try:
        if len(data) > MAX_GOLDEN_BYTES:
            raise ValueError(f"over {MAX_GOLDEN_BYTES} bytes")
        values: NDArray[np.int8] = np.load(io.BytesIO(data), allow_pickle=False)
        if values.dtype != np.int8 or list(values.shape[1:]) != spec.shape[1:] or not len(values):
            raise ValueError(f"{values.dtype} of shape {values.shape}")
    except (ValueError, EOFError, AttributeError) as error:
        raise WireError(
            "malformed", f"golden vectors: {str(error)[:120]}", "make the bundle again"
        ) from error
    return values
