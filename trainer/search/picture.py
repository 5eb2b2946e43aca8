"""The front as a picture: accuracy against every cost, and what broke which limit."""

from __future__ import annotations

import io
from typing import Any, Final

from trainer.search.measured import UNITS, Cost
from trainer.search.result import Result, Row

_FRONT: Final = "#0b6e4f"
_INSIDE: Final = "#8fb8a8"
_OUTSIDE: Final = "#c8553d"
_STYLE: Final[dict[Any, Any]] = {"svg.hashsalt": "tinyfleet", "svg.fonttype": "none", "font.size": 9}


def draw(found: Result) -> bytes:
    """SVG; the same bytes for the same result."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        costs = found.settings.minimise
        figure = Figure(figsize=(4.6 * len(costs), 4.2), layout="constrained")
        axes = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
        for place, (axis, cost) in enumerate(zip(axes, costs, strict=True)):
            _panel(axis, found, cost)
            axis.set_xlabel(f"{cost}, {UNITS[cost]}" + _worst(found))
            if place == 0:
                axis.set_ylabel("int8 accuracy on the validation groups")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(f"{found.settings.source}: {len(found.trials)} trials, seed {found.settings.seed}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _worst(found: Result) -> str:
    names = found.settings.boards
    return f" on {names[0]}" if len(names) == 1 else f", worst of {len(names)} boards"


def _panel(axis: Any, found: Result, cost: Cost) -> None:
    rows = [row for row in found.trials if row.measured is not None and row.measured.cost(cost) is not None]
    trained = [row for row in rows if row.accuracy_int8 is not None]
    front = sorted((row for row in trained if row.front), key=lambda row: _x(row, cost))
    inside = [row for row in trained if not row.front and row.state == "trained"]
    outside = [row for row in trained if row.state != "trained"]
    axis.step(*_best_so_far(front, cost), where="post", color=_FRONT, linewidth=1, alpha=0.5)
    for chosen, colour, marker, label in (
        (front, _FRONT, "o", "front"),
        (inside, _INSIDE, "o", "within the limits"),
        (outside, _OUTSIDE, "x", "trained, over a limit"),
    ):
        at = [_x(row, cost) for row in chosen], [row.accuracy_int8 for row in chosen]
        axis.scatter(*at, color=colour, marker=marker, s=24, label=label, zorder=3)
    never = [_x(row, cost) for row in rows if not row.trained]
    axis.scatter(
        never,
        [0.02] * len(never),
        color=_OUTSIDE,
        marker="|",
        transform=axis.get_xaxis_transform(),
        label="over a limit, not trained",
    )
    for row in front:
        axis.annotate(
            f"{row.number}" + (" chosen" if row.number == found.chosen else ""),
            (_x(row, cost), row.accuracy_int8),
            xytext=(4, -9),
            textcoords="offset points",
            fontsize=7,
        )
    limit = found.settings.limits.of(cost)
    if limit is not None and limit != float("inf"):
        axis.axvline(limit, color=_OUTSIDE, linestyle="--", linewidth=1)
    axis.set_xscale("log")
    axis.grid(visible=True, which="both", linewidth=0.3, alpha=0.5)
    axis.spines[["top", "right"]].set_visible(False)


def _x(row: Row, cost: Cost) -> float:
    value = None if row.measured is None else row.measured.cost(cost)
    return value or 0.0


def _best_so_far(front: list[Row], cost: Cost) -> tuple[list[float], list[float]]:
    """What accuracy a cost buys: only points that are better than all cheaper ones in this panel."""
    best, at, accuracy = 0.0, [], []
    for row in front:
        if (row.accuracy_int8 or 0.0) > best:
            best = row.accuracy_int8 or 0.0
            at.append(_x(row, cost))
            accuracy.append(best)
    return at, accuracy
