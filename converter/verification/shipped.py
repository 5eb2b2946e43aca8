"""Claims about the shipped file: what it is, and what it answers."""

from __future__ import annotations

from converter import lint, macs
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, not_checked, verified
from converter.versions import differences
from wire.errors import TrustError
from wire.states import NumericsFamily, Reason

NO_REPORT = "the bundle has no report.json that says anything of it; convert again"


def tensors(case: Case) -> Claim:
    """Input and output."""
    said = (case.manifest.input, case.manifest.output)
    if lint.check(case.graph, case.family) != said:
        raise TrustError(
            "false_tensors", "the model has other tensors than the manifest says", "convert again"
        )
    return verified("tensors", "input and output are those of the file")


def operators(case: Case) -> Claim:
    """Each once, in order."""
    return compared("operators", case.manifest.ops, case.graph.ops, "the operators of the file")


def work(case: Case) -> Claim:
    """Multiply-accumulates."""
    if case.report is None:
        return not_checked("macs", NO_REPORT)
    found = macs.count(case.graph).macs
    return compared("macs", case.report.macs, found, f"{found:,} multiply-accumulates, counted")


def golden(case: Case) -> list[Claim]:
    """One claim a family: the promised outputs, to the bit. Any other version is held to them too."""
    return [_golden(case, family) for family in case.manifest.golden.outputs]


def _golden(case: Case, family: NumericsFamily) -> Claim:
    expected = case.read_npy(case.manifest.golden.outputs[family], case.manifest.output)
    outputs = case.run(family).golden
    if outputs.shape != expected.shape:
        raise TrustError(Reason.SELF_TEST, f"golden vectors ({family}) of another shape", "convert again")
    wrong = int((outputs != expected).reshape(len(outputs), -1).any(axis=1).sum())
    if wrong:
        raise TrustError(
            Reason.SELF_TEST,
            f"{wrong} of {len(outputs)} golden vectors give another output in {family}",
            "the model is not the one they were made with; convert again",
        )
    return verified(f"golden_{family}", f"{len(outputs)} of {len(outputs)} vectors exact")


def arena(case: Case) -> Claim:
    """Head, tail, total, and the smallest arena, found by trial again."""
    if case.report is None:
        return not_checked("arena", NO_REPORT)
    found = case.arena
    what = "no arena, as TFLM is not needed"
    if found is not None:
        what = f"head {found.head:,}, tail {found.tail:,}; runs in {found.confirmed_min:,} bytes and no less"
    return compared("arena", case.report.arena, found, what, differences(case.lineage, ["tflite-micro"]))
