"""Claims about accuracy: what int8 scores, and what it costs."""

from __future__ import annotations

import numpy as np

from converter import evidence, gate, scoring
from converter.gate import Verdict
from converter.measurement import classes_of
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, not_checked, verified
from converter.versions import differences
from wire.errors import TrustError
from wire.manifest import Score
from wire.states import NumericsFamily

_RUNTIMES = ("ai-edge-litert", "tflite-micro")


def computed(case: Case) -> dict[NumericsFamily, Score]:
    """Scores on whatever samples were given; empty without any, or when outputs are no classes."""
    samples, said = case.samples, evidence.claimed(case.lineage)
    if samples is None or samples.y is None:
        return {}
    metric = "top1" if said is None else said.metric
    if not scoring.has_classes(metric, classes_of(case.manifest.output)):
        return {}
    return {
        family: scoring.score(scoring.answers(case.run(family).scored), samples.y)
        for family in case.manifest.golden.outputs
    }


def scores(case: Case) -> Claim:
    """Scores, agreement and confusion, when the samples are the same."""
    said = case.manifest.evaluation
    if not said.int8 and "evaluation" not in case.lineage:
        return _none("scores")
    if not case.same_samples:
        return _without_samples("scores", case)
    other = differences(case.lineage, _RUNTIMES)
    found = computed(case)
    claim = compared("scores", said.int8, found, _shown(found), other)
    if case.report is None or claim.status == "not_checked":
        return claim
    agree, confusion = _agreement(case), _confusion(case) if found else []
    compared("scores", case.report.families_agree, agree, "share of samples with the same class", other)
    return compared("scores", case.report.confusion, confusion, f"{_shown(found)}; confusion too", other)


def _shown(found: dict[NumericsFamily, Score]) -> str:
    each = (f"{family} {score.correct:,} of {score.n:,}" for family, score in found.items())
    return ", ".join(each) or "outputs that are no classes"


def _agreement(case: Case) -> float | None:
    answers = [scoring.answers(case.run(family).scored) for family in sorted(case.manifest.golden.outputs)]
    return float((answers[0] == answers[1]).mean()) if len(answers) > 1 else None


def _confusion(case: Case) -> list[list[int]]:
    first = sorted(case.manifest.golden.outputs)[0]
    if case.samples is None or case.samples.y is None:
        return []
    answers = scoring.answers(case.run(first).scored)
    return scoring.confusion(answers, case.samples.y, classes_of(case.manifest.output))


def verdict(case: Case) -> Claim:
    """The gate's verdict follows from its figures; they follow from samples and the float answers."""
    said = evidence.claimed(case.lineage)
    if said is None:
        return _none("gate")
    if not said.families or gate.judge(said.metric, said.rule, said.max_drop, said.families) != said:
        raise false("gate", "the verdict does not follow from its own figures")
    if not said.passed:
        raise false("gate", "it says that the gate refused this model")
    if not case.same_samples:
        return _without_samples("gate", case)
    return _again(case, said)


def _again(case: Case, said: Verdict) -> Claim:
    samples = case.samples
    if evidence.FILE not in case.bundle.files or samples is None:
        raise false("gate", "its evidence is missing")
    floats = evidence.unpack(case.bundle.files[evidence.FILE])
    outputs = {family: case.run(family).scored for family in case.manifest.golden.outputs}
    try:
        evidence.check_again(
            said, case.manifest.preprocessing, samples, case.manifest.output, floats, outputs
        )
    except TrustError as error:
        other = differences(case.lineage, _RUNTIMES)
        if other:
            return not_checked("gate", f"{'; '.join(other)}, and that may be why: {error.message}")
        raise false("gate", error.message) from error
    figures = (f"{family} {found.drop:+.4f}" for family, found in said.families.items())
    return verified("gate", f"{said.metric} loss: {', '.join(figures)}; of at most {said.max_drop:g}")


def float_score(case: Case) -> Claim:
    """The float model's score follows from its answers in the bundle; that they are its, from the source."""
    said = case.manifest.evaluation.float32
    if said is None:
        return _none("float32_score")
    if not case.same_samples or case.samples is None or case.samples.y is None:
        return _without_samples("float32_score", case)
    held = case.bundle.files.get(evidence.FILE)
    if held is None:
        raise false("float32_score", "the float model's answers are not in the bundle")
    floats = evidence.unpack(held)
    if floats.dtype != np.int16 or len(floats) != len(case.samples.y):
        return not_checked("float32_score", "the evidence has scores, not classes; give --source")
    found = Score(n=len(floats), correct=int((floats == case.samples.y).sum()))
    return compared("float32_score", said, found, f"{found.correct:,} of {found.n:,} by the answers here")


def _none(name: str) -> Claim:
    return verified(name, "none is claimed")


def _without_samples(name: str, case: Case) -> Claim:
    facts = case.lineage.get("evaluation")
    sha256 = str(facts.get("sha256"))[:12] if isinstance(facts, dict) else "unknown"
    why = "other samples were given" if case.samples is not None else "no samples were given"
    return not_checked(name, f"{why}; give --eval with the file whose SHA-256 begins with {sha256}")
