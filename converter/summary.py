"""Reports as a few lines for people."""

from __future__ import annotations

from converter.bundle import Bundle
from converter.conversion import Converted
from converter.verification import Verified


def describe(made: Converted) -> str:
    """What a conversion made."""
    report = made.report
    lines = [f"{made.bundle}: {report.model} v{report.version}, digest {made.digest}"]
    lines.append(f"model.tflite {report.bytes} bytes: {', '.join(report.ops)}")
    if report.arena is not None:
        lines.append(f"TFLM arena {report.arena.total} bytes, runs in {report.arena.confirmed_min}")
    if report.plan is not None:
        lines.append(f"memory plan: head {report.plan.greedy_head} -> {report.plan.head}, {report.plan.why}")
    lines += [f"accuracy {kind}: {share:.4f}" for kind, share in report.accuracy.items()]
    lines += [
        f"target {name}: {needs.ram_bytes} bytes RAM, {needs.flash_bytes} bytes flash ({needs.numerics})"
        for name, needs in report.targets.items()
    ]
    return "\n".join(lines)


def list_bundle(bundle: Bundle) -> str:
    """What a bundle holds."""
    manifest = bundle.manifest
    signed = "signed" if bundle.signature is not None else "not signed"
    lines = [f"{manifest.model} v{manifest.version}, {signed}, digest {bundle.digest}"]
    lines += [
        f"{entry.path}: {entry.bytes} bytes{' (device)' if entry.device else ''}" for entry in manifest.files
    ]
    lines += [f"target {name}: {needs.ram_bytes} bytes RAM" for name, needs in manifest.targets.items()]
    return "\n".join(lines)


def confirm(verified: Verified) -> str:
    """Each claim of a bundle, and what became of it."""
    lines = [f"{verified.digest}"]
    lines += [
        f"{claim.status.replace('_', ' '):<11}  {claim.name}: {claim.detail}" for claim in verified.claims
    ]
    if not verified.same_samples:
        lines += [
            f"on the given samples {family} scores {score.accuracy:.4f} ({score.correct} of {score.n})"
            for family, score in verified.scores.items()
        ]
    return "\n".join(lines)
