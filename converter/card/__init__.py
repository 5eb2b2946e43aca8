"""The model card: what a person should know before shipping the model (M. Mitchell et al., FAT* 2019)."""

from __future__ import annotations

from converter.card import accuracy, fits, memory, origin
from converter.report import Report
from wire.manifest import Manifest


def render(manifest: Manifest, report: Report, *, has_map: bool) -> str:
    """Markdown; depends on the two and on nothing else. ``has_map``: the bundle has a memory map to show.

    Of ``manifest`` the files are not looked at.
    """
    parts = [
        f"# {report.model} v{report.version}",
        origin.purpose(report),
        "## In short",
        _short(report),
        "## Data and split",
        origin.data(manifest.lineage),
        "## Accuracy",
        accuracy.scores(report),
        accuracy.verdict(report),
        accuracy.confusion(manifest.labels, report),
        "## Where accuracy goes",
        accuracy.layers(report),
        "## Memory",
        memory.arena(report, has_map=has_map),
        memory.plan(report),
        memory.targets(report),
        "## Boards",
        fits.boards(report),
        "## Repairs",
        origin.repairs(manifest.lineage),
        "## Numerics families",
        origin.families(report),
        "## Lineage",
        origin.lineage(manifest.lineage),
        "## Check it yourself",
        origin.check(manifest.lineage),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _short(report: Report) -> str:
    fitting = [name for name, fit in report.fits.items() if fit.ok]
    lines = [
        f"- {report.bytes:,} bytes, {report.macs:,} multiply-accumulates an inference, "
        f"operators {', '.join(report.ops)}",
        f"- input {_tensor(report.input.name, report.input.shape, report.input.dtype)}, "
        f"output {_tensor(report.output.name, report.output.shape, report.output.dtype)}",
        f"- fits {len(fitting)} of {len(report.fits)} boards that it is built for",
    ]
    if report.activations != "int8":
        lines.append(f"- computes in {report.activations} between int8 input and output; weights are int8")
    lines += [f"- not built for {family}: {reason}" for family, reason in report.refused.items()]
    if report.accuracy:
        shown = ", ".join(f"{kind} {share:.4f}" for kind, share in report.accuracy.items())
        lines.append(f"- top-1 accuracy: {shown}")
    return "\n".join(lines)


def _tensor(name: str, shape: list[int], dtype: str) -> str:
    return f"`{name}` {'x'.join(map(str, shape))} {dtype}"
