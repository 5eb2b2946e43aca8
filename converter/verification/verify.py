"""All claims of a bundle, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from tuf.api.metadata import Root

from converter import calibration_index, evidence, samples
from converter.bundle import Bundle
from converter.gate import Verdict
from converter.measurement import classes_of
from converter.samples import Samples
from converter.verification import accuracy, image, memory, needs, origin, shipped, words
from converter.verification.case import Case, Origin
from converter.verification.claim import Claim, verified
from wire.errors import InputError
from wire.manifest import Manifest, Score
from wire.states import NumericsFamily
from wire.trust import verify_manifest

Check = Callable[[Case], Claim | list[Claim]]
CHECKS: Final[tuple[Check, ...]] = (
    shipped.tensors,
    shipped.operators,
    shipped.golden,
    words.report,
    shipped.work,
    shipped.arena,
    image.image,
    needs.on_targets,
    needs.on_boards,
    memory.plan,
    memory.picture,
    words.model_card,
    accuracy.scores,
    accuracy.verdict,
    accuracy.float_score,
    origin.source,
)


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What held."""

    digest: str
    golden: dict[NumericsFamily, int]
    """Golden vectors that gave exactly the promised outputs: all of them."""
    scores: dict[NumericsFamily, Score]
    """On the given evaluation samples."""
    same_samples: bool
    """Whether those are the samples of the manifest's evaluation."""
    gate: Verdict | None = None
    """The gate's verdict, when it was computed again from the same samples and held."""
    claims: list[Claim]
    """Everything that the bundle says, in the order in which it was checked."""


def verify_bundle(
    bundle: Bundle, root: Root, now: datetime, evaluation: Path | None = None, source: Origin | None = None
) -> Verified:
    """Do again what the bundle claims, as far as what is given allows.

    Raises TrustError for the first claim that does not hold, RefusedError when the model does not run,
    InputError for samples of another model.
    """
    verify_manifest(root, bundle.artifact, bundle.digest, now)
    given = None if evaluation is None else _samples(evaluation, bundle.manifest)
    case = Case(bundle, given, source)
    if given is not None and case.same_samples:
        # Samples that chose the int8 ranges were not evaluated on.
        rest = calibration_index.evaluated(given, bundle.manifest.lineage, bundle.files)
        case = Case(bundle, rest, source)
    claims = [
        verified("signature", "by a key that the root names, and not expired"),
        verified("files", f"{len(bundle.files)} files with the lengths and SHA-256 of the manifest"),
    ]
    for check in CHECKS:
        found = check(case)
        claims += found if isinstance(found, list) else [found]
    held = {claim.name for claim in claims if claim.status == "verified"}
    return Verified(
        digest=bundle.digest,
        golden={family: len(case.golden_inputs) for family in bundle.manifest.golden.outputs},
        scores=accuracy.computed(case),
        same_samples=case.same_samples,
        gate=evidence.claimed(bundle.manifest.lineage) if "gate" in held and case.same_samples else None,
        claims=claims,
    )


def _samples(file: Path, manifest: Manifest) -> Samples:
    given = samples.load(file, labelled=True)
    shape, classes = tuple(manifest.input.shape[1:]), max(2, classes_of(manifest.output))
    wrong = None
    if given.x.shape[1:] != shape:
        wrong = f"the samples have shape {given.x.shape[1:]}, the model takes {shape}"
    elif given.y is not None and given.y.max() >= classes:
        wrong = f"the samples have a class {given.y.max()}, the model has {classes}"
    if wrong is not None:
        raise InputError("wrong_samples", wrong, "give samples of this model")
    return given
