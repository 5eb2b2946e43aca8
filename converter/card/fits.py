"""Each board: whether the model fits, and how long it may take there."""

from __future__ import annotations

from converter.card.markdown import listed, table
from converter.fit import Fit
from converter.latency import Estimate, NoEstimate, NpuEstimate
from converter.report import Report


def boards(report: Report) -> str:
    """One row a board, and where its figures are from."""
    if not report.fits:
        return "No board was looked at."
    head = ["board", "fits", "RAM: needs / has", "flash: needs / has", "latency, estimated"]
    rows = [_row(name, fit) for name, fit in report.fits.items()]
    against = [f"**{name}**: {fit.reason}" for name, fit in report.fits.items() if not fit.ok]
    parts = [
        "Nothing was run on these boards. Bytes; flash counts the runtime too where firmware holds it.",
        table(head, rows),
        listed(against),
        listed(_sources(report)),
    ]
    return "\n\n".join(part for part in parts if part)


def _row(name: str, fit: Fit) -> list[str]:
    ram = "not known" if fit.ram_bytes is None else f"{fit.ram_bytes:,}"
    return [
        f"{name} ({fit.target})",
        "yes" if fit.ok else "**no**",
        f"{ram} / {fit.ram_free_bytes:,}",
        f"{fit.flash_bytes:,} / {fit.flash_free_bytes:,}",
        _latency(fit),
    ]


def _latency(fit: Fit) -> str:
    match fit.latency:
        case Estimate() as found:
            return (
                f"{found.latency_ms:g} ms ({found.low_ms:g} to {found.high_ms:g}); {found.stack}, "
                f"held-out error {found.median_error:.0%}, worst {found.worst_error:.0%}"
            )
        case NpuEstimate() as found:
            left = "an unknown number" if found.cpu_operators is None else str(found.cpu_operators)
            return (
                f"{found.latency_ms:g} ms on {found.accelerator} at {found.clock_mhz:g} MHz; "
                f"vela's estimate, error not known; {left} operators left to the core are not in it"
            )
        case NoEstimate() as found:
            return f"none: {found.reason}"


def _sources(report: Report) -> list[str]:
    lines = [
        "latency: fitted to published results of MLPerf Tiny; the range spans the worst errors on models "
        "held out of the fit, on that core with that software stack. Another stack is slower or faster."
    ]
    configs = {fit.npu.system_config for fit in report.fits.values() if fit.npu is not None}
    if configs:
        lines.append(
            "accelerators: vela's compiled file and its cycle model, memories as in its "
            f"{', '.join(sorted(configs))}; RAM is vela's SRAM and the tail that TFLM has for the "
            "uncompiled model. The bundle holds the uncompiled one: compile it with vela for the accelerator."
        )
    sources = {fit.flash_source: fit.runtime_flash_bytes for fit in report.fits.values()}
    lines += [
        f"runtime's flash, {size:,} bytes: {source}" if size else f"runtime's flash: {source}"
        for source, size in sorted(sources.items())
    ]
    lines.append("energy: not stated; nothing was measured, and nothing comparable is published.")
    return lines
