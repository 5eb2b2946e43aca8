"""The model card: what a person should know before shipping the model (M. Mitchell et al., FAT* 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from converter.report import Report
from converter.source import Source
from wire.manifest import Score

_ORIGINS: Final = {"float_tflite": "the given .tflite", "saved_model": "SavedModel"}
_UNKNOWN: Final = "Not known: the model was given as a file, and its author's words were not with it."


def render(source: Source, report: Report) -> str:
    """Markdown; depends on nothing but the source and the figures, so that it is the same on every run."""
    parts = [
        f"# {report.model} v{report.version}",
        _purpose(source),
        "## Data and split",
        _data(source),
        "## Accuracy",
        _accuracy(source.kind, report),
        _confusion(source.labels, report.confusion),
        "## Memory",
        _memory(report),
        "## Lineage",
        _lineage(source.lineage),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _purpose(source: Source) -> str:
    run = source.run
    if run is None:
        return f"Intended use: {_UNKNOWN}\n\nMust not be used for: anything it was not checked for by you."
    return (
        f"Tells {run.title or run.task}.\n\n"
        f"Intended use: {run.intended_use or _UNKNOWN}\n\n"
        f"Must not be used for: {run.limits or _UNKNOWN}"
    )


def _data(source: Source) -> str:
    run = source.run
    lines = [] if run is None else [f"- data {key}: {value}" for key, value in run.data.items()]
    if run is not None:
        lines += [f"- {part}: {_part(content)}" for part, content in run.split.items()]
    if source.evaluation is not None:
        lines.append(f"- evaluated on {len(source.evaluation.x)} samples")
    return "\n".join(lines) or _UNKNOWN


def _part(content: Any) -> str:
    if not isinstance(content, dict):
        return str(content)
    return ", ".join(f"{key} {value}" for key, value in content.items())


def _accuracy(kind: str, report: Report) -> str:
    rows = [("int8 " + family, score) for family, score in report.evaluation.int8.items()]
    if report.evaluation.float32 is not None:
        rows.insert(0, (f"float32 ({_ORIGINS.get(kind, 'Keras')})", report.evaluation.float32))
    if not rows:
        return "Not measured: no labelled samples were given."
    table = _table(["numerics", "correct", "of", "accuracy"], [_row(name, score) for name, score in rows])
    agree = report.families_agree
    note = (
        "" if agree is None else f"\n\nBoth int8 families give the same class to {agree:.4f} of the samples."
    )
    return f"By execution on the evaluation samples.\n\n{table}{note}"


def _row(name: str, score: Score) -> list[str]:
    return [name, str(score.correct), str(score.n), f"{score.accuracy:.4f}"]


def _confusion(labels: Sequence[str], counts: list[list[int]]) -> str:
    if not counts or len(counts) > 32:
        return ""
    names = list(labels) or [str(index) for index in range(len(counts))]
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    return "Rows are true classes, columns answers (int8).\n\n" + _table(["", *names], rows)


def _memory(report: Report) -> str:
    lines = [f"- model.tflite: {report.bytes} bytes; operators: {', '.join(report.ops)}"]
    if report.arena is not None:
        arena = report.arena
        lines.append(
            f"- TFLM arena: {arena.total} bytes reported (head {arena.head}, tail {arena.tail}); the "
            f"smallest it really ran in is {arena.confirmed_min}. Of a 64-bit host: 32-bit cores need less."
        )
    lines.append("- RAM for xnnpack is an upper bound by computation; RAM for tflm is that smallest arena.")
    rows = [
        [name, str(needs.numerics), str(needs.ram_bytes), str(needs.flash_bytes)]
        for name, needs in report.targets.items()
    ]
    if report.activations != "int8":
        lines.append(f"- computes in {report.activations} between int8 input and output; weights are int8")
    lines += [f"- not built for {family}: {reason}" for family, reason in report.refused.items()]
    return "\n".join(lines) + "\n\n" + _table(["target", "numerics", "RAM bytes", "flash bytes"], rows)


def _lineage(lineage: dict[str, Any], prefix: str = "") -> str:
    lines: list[str] = []
    for key, value in lineage.items():
        if isinstance(value, dict):
            lines.append(_lineage(value, f"{prefix}{key}."))
        else:
            lines.append(f"- {prefix}{key}: {value}")
    return "\n".join(line for line in lines if line)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
