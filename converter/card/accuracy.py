"""What quantisation cost, in words and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from converter.card.markdown import listed, table
from converter.gate import Comparison, Verdict
from converter.report import Report, Variant
from wire.manifest import Score

_WORST: Final = 5
_MOST_CLASSES: Final = 32
_NAMES: Final = {"ptq": "plain quantisation without the recipe"}
_METRICS: Final = {"top1": "top-1 accuracy", "auc": "area under the ROC curve", "f1": "macro F1"}


def scores(report: Report) -> str:
    """Scores of float and int8, by execution."""
    rows = [(f"int8, {family}", score) for family, score in report.evaluation.int8.items()]
    if report.evaluation.float32 is not None:
        rows.insert(0, ("float32", report.evaluation.float32))
    if not rows:
        return "" if report.gate else "Not measured: no labelled samples were given."
    shown = table(["numerics", "correct", "of", "accuracy"], [_row(name, score) for name, score in rows])
    agree = report.families_agree
    note = "" if agree is None else f"\n\nBoth families give the same class to {agree:.4f} of the samples."
    return f"By execution on the evaluation samples.\n\n{shown}{note}"


def _row(name: str, score: Score) -> list[str]:
    return [name, f"{score.correct:,}", f"{score.n:,}", f"{score.accuracy:.4f}"]


def verdict(report: Report) -> str:
    """The gate's verdict, and plain quantisation beside a recipe."""
    if report.gate is None:
        return "No gate looked at it: that needs a float model and labelled samples."
    lines = [_ruling(report.gate)]
    lines += [_family(report.gate, str(name), found) for name, found in report.gate.families.items()]
    lines += [_variant(variant) for variant in report.variants[1:]]
    return listed(lines)


def _ruling(gate: Verdict) -> str:
    metric, limit = _METRICS[gate.metric], f"{gate.max_drop:.4f}"
    asked = "the measured loss" if gate.rule == "point" else "the interval's upper end"
    said = "passed" if gate.passed else "did not pass"
    shown = "the samples show it" if gate.shown else "the samples are too few to show it"
    return (
        f"The gate **{said}**: {asked} of {metric} is at most {limit} in every family "
        f"(worst: {gate.worst}). That the true loss is within {limit}: {shown}."
    )


def _family(gate: Verdict, name: str, found: Comparison) -> str:
    change = "loses" if found.drop > 0 else "gains" if found.drop < 0 else "neither loses nor gains"
    size = f" {abs(found.drop):.4f}" if found.drop else ""
    text = (
        f"{name}: int8 {change}{size} ({found.float32:.4f} to {found.int8:.4f} on {found.n:,} samples); "
        f"with {gate.confidence:.0%} confidence the loss is between {found.low:.4f} and {found.high:.4f} "
        f"({found.method})"
    )
    if found.lost is None or found.gained is None or found.p is None:
        return text
    return (
        f"{text}. Only float is right on {found.lost}, only int8 on {found.gained}; "
        f"McNemar's exact p = {found.p:.3g}"
    )


def _variant(variant: Variant) -> str:
    figures = ", ".join(f"{found.int8:.4f} in {family}" for family, found in variant.families.items())
    name = _NAMES.get(variant.name, variant.name)
    missing = variant.refused or "not measured"
    return f"for comparison, {name}: {figures or missing}; {variant.bytes:,} bytes"


def confusion(labels: Sequence[str], report: Report) -> str:
    """Of the first int8 family."""
    counts = report.confusion
    if not counts or len(counts) > _MOST_CLASSES:
        return ""
    names = list(labels) if len(labels) == len(counts) else [str(index) for index in range(len(counts))]
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    family = next(iter(report.evaluation.int8), "int8")
    return f"Rows are true classes, columns answers ({family}).\n\n" + table(["", *names], rows)


def layers(report: Report) -> str:
    """The noisiest operators."""
    if not report.layers:
        return "Not measured: layers are compared only when the float model is given."
    found = report.layers[:_WORST]
    rows = [[layer.op, layer.tensor, f"{layer.sqnr_db:.1f} dB"] for layer in found]
    return (
        f"Signal to quantisation noise of each operator's output, the {len(found)} worst of "
        f"{len(report.layers)} (about 6 dB are one bit; noise from before is included).\n\n"
        + table(["operator", "output", "SQNR"], rows)
    )
